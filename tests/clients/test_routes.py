"""Which address is chosen: rendezvous hashing, addresses that were lost, names that are looked up again, and what may
be given as an address."""

import time

import pytest
from billing_client import ClientOptions, routing
from billing_client.retries import ATTEMPTS_MAX, BACKOFF_FACTOR, BACKOFF_S
from billing_client.routing import DOWN_S, PROBE_S, Addresses, Routes, ranked

from tests.support.doubles import FakeMonotonic

NAMES = [f"user-{number}" for number in range(40)]


def test_a_name_is_looked_up_again_only_while_it_is_asked_for(monkeypatch):
    clock, asked = FakeMonotonic(), []
    monkeypatch.setattr(routing, "resolve", lambda *name: asked.append(name) or ("ipv4:10.0.0.1:5", "ipv4:10.0.0.2:5"))
    addresses = Addresses("dns:///billing.internal:5", clock)
    assert addresses.authority == "billing.internal:5"
    for looks in (1, 2):
        addresses.now()
        while len(asked) < looks or addresses._lock.locked():
            time.sleep(0.001)
        assert addresses.now() == ("ipv4:10.0.0.1:5", "ipv4:10.0.0.2:5")
        assert len(asked) == looks
        clock.now += 2 * routing.REFRESH_S
    assert asked[0] == ("billing.internal", "5")


def test_a_name_that_nobody_knows_keeps_what_was_known(monkeypatch):
    def fail(*_):
        raise OSError

    monkeypatch.setattr(routing, "resolve", fail)
    addresses = Addresses("dns:billing.internal:5")
    addresses.now()
    while addresses._lock.locked():
        time.sleep(0.001)
    assert addresses.now() == ("dns:billing.internal:5",)


def test_loopback_is_resolved():
    assert routing.resolve("127.0.0.1", "5") == ("ipv4:127.0.0.1:5",)
    assert routing.resolve("::1", "5") == ("ipv6:[::1]:5",)


def test_only_the_accounts_of_an_address_that_goes_move():
    addresses = tuple(f"10.0.0.{number}:5" for number in range(5))
    before = {name: ranked(addresses, name)[0] for name in NAMES}
    after = {name: ranked(addresses[1:], name)[0] for name in NAMES}
    assert {name for name in NAMES if before[name] != after[name]} == {
        name for name, address in before.items() if address == addresses[0]
    }


def test_an_address_that_was_lost_is_left_alone_for_a_while_and_tried_by_one_call():
    clock = FakeMonotonic()
    routes = Routes(lambda: ("a:1", "b:1"), clock)
    first, second = ranked(("a:1", "b:1"), "user-1")
    assert routes.choose("user-1") == first
    tried = set()
    assert routes.goes_on(first, tried)
    assert routes.choose("user-1", tried) == second
    assert not routes.goes_on(second, tried)
    assert not tried, "all were tried, and may be tried again"
    routes.answered(second)
    assert routes.choose("user-1") == second
    clock.now += DOWN_S
    assert [routes.choose("user-1"), routes.choose("user-1")] == [first, second], "one call finds out"
    routes.lost(first)
    clock.now += DOWN_S
    assert routes.choose("user-1") == second, "for longer than before"
    clock.now += DOWN_S + PROBE_S
    assert routes.choose("user-1") == first
    routes.answered(first)
    assert [routes.choose("user-1"), routes.choose("user-1")] == [first, first]


@pytest.mark.parametrize("address", ["a:1,", ",a:1", "a:1,b", "a:1, b:1", "a:1,unix:/x", "http://a:1,b:1", "a:1,b:0"])
def test_a_list_has_addresses_of_hosts_alone(address):
    with pytest.raises(ValueError, match="address must be host:port"):
        ClientOptions(address=address)


@pytest.mark.parametrize(
    ("address", "is_routed", "uses_tls"),
    [
        ("127.0.0.1:1", False, False),
        ("127.0.0.1:1,[::1]:2", True, False),
        ("127.0.0.1:1,billing.internal:2", True, True),
        ("dns:billing.internal:2", True, True),
        ("dns://8.8.8.8/billing.internal:2", False, True),
        ("billing.internal:2", False, True),
    ],
)
def test_which_addresses_are_routed(address, is_routed, uses_tls):
    options = ClientOptions(address=address)
    assert (options.is_routed, options.uses_tls) == (is_routed, uses_tls)


def test_a_call_outlives_a_channel_s_wait_to_reconnect():
    """Else an address that came back is not found where the other one was lost just then. gRPC spreads by a fifth."""
    options = ClientOptions(address="127.0.0.1:1,127.0.0.1:2").channel_options("127.0.0.1:1")
    waits_s = dict(options)["grpc.max_reconnect_backoff_ms"] / 1_000 * 1.2
    least_s = sum(BACKOFF_S * BACKOFF_FACTOR**number for number in range(ATTEMPTS_MAX - 1)) / 2
    assert waits_s < least_s
