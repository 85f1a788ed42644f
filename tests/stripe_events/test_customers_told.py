"""What a customer's events say of an account: the newest counts, Stripe settles ties, and odd words are no defect."""

import pytest

from billing_service.domain.refusals import Failure
from billing_service.payments.ports.outcomes import ProviderRefused, ProviderUnavailable
from tests.support.doubles import SECOND_US
from tests.support.event_world import NOW_S


@pytest.fixture
async def acme(world):
    """An account whose customer changed at a known second."""
    made = Acme(world, await world.account())
    assert await world.deliver(made.event("customer.created", 0, email="a@example.org", name="Ada")) == "PROCESSED"
    assert await world.deliver(made.event("customer.updated", 5, email="b@example.org", name="Bea")) == "PROCESSED"
    return made


class Acme:
    def __init__(self, world, account_id):
        self.world, self.account_id = world, account_id

    def event(self, event_type, second, **fields):
        return self.world.event(
            event_type, self.world.customer(self.account_id, "cus_acme", **fields), created_s=NOW_S + second
        )

    async def says(self):
        profile = await self.world.profile(self.account_id)
        return profile["email"], profile["name"], profile["customer_update_time_us"] // SECOND_US - NOW_S


async def test_an_older_event_never_overwrites_a_newer_one(world, acme):
    for second in (0, 3, 4):
        assert (
            await world.deliver(acme.event("customer.updated", second, email="old@example.org", name="Old"))
            == "IGNORED"
        )
    assert await acme.says() == ("b@example.org", "Bea", 5)
    assert world.asked == []


async def test_a_newer_one_does_without_stripe_being_asked(world, acme):
    assert await world.deliver(acme.event("customer.updated", 6, email="c@example.org", name="Cyd")) == "PROCESSED"
    assert await acme.says() == ("c@example.org", "Cyd", 6)
    assert world.asked == []


async def test_a_tie_is_settled_by_what_stripe_has_now(world, acme):
    world.stands("cus_acme", "z@example.org", "Zoe")
    assert await world.deliver(acme.event("customer.updated", 5, email="c@example.org", name="Cyd")) == "PROCESSED"
    assert await acme.says() == ("z@example.org", "Zoe", 5)
    assert world.asked == [("get_customer", "cus_acme")]


async def test_stripe_is_asked_while_nothing_is_locked(world, acme, monkeypatch):
    """Another call writes the same account, and the same event comes again, while Stripe thinks."""
    ask, tie = world.provider.get_customer, acme.event("customer.updated", 5, email="c@example.org", name="Cyd")
    world.stands("cus_acme", "c@example.org", "Cyd")
    meanwhile = []

    async def slow(customer_id):
        if not meanwhile:
            meanwhile.append("asked")
            meanwhile.append(await world.deliver(acme.event("customer.updated", 3)))
            meanwhile.append(await world.deliver(tie))
        return await ask(customer_id)

    monkeypatch.setattr(world.provider, "get_customer", slow)
    assert await world.deliver(tie) == "DUPLICATE"
    assert meanwhile == ["asked", "IGNORED", "PROCESSED"]
    assert await acme.says() == ("c@example.org", "Cyd", 5)


async def test_a_tie_of_events_that_say_the_same_asks_nobody(world, acme):
    assert await world.deliver(acme.event("customer.updated", 5, email="b@example.org", name="Bea")) == "PROCESSED"
    assert world.asked == []


@pytest.mark.parametrize(
    "error", [ProviderUnavailable("nobody answers"), ProviderRefused("resource_missing", "no such customer")]
)
async def test_a_tie_that_stripe_does_not_settle_changes_nothing(world, acme, monkeypatch, error):
    async def broken(_):
        raise error

    tie = acme.event("customer.updated", 5, email="c@example.org", name="Cyd")
    with monkeypatch.context() as patched:
        patched.setattr(world.provider, "get_customer", broken)
        if isinstance(error, ProviderUnavailable):
            with pytest.raises(Failure):
                await world.deliver(tie)
            assert await world.statuses(tie) == ["FAILED"]
        else:
            assert await world.deliver(tie) == "QUARANTINED"
            assert "STRIPE_REFUSED" in (await world.kept())[tie["id"]].error
    assert await acme.says() == ("b@example.org", "Bea", 5)


async def test_a_customer_that_was_deleted_is_never_linked_again(world, acme):
    assert await world.deliver(acme.event("customer.deleted", 9)) == "PROCESSED"
    assert await world.deliver(acme.event("customer.deleted", 9)) == "IGNORED"
    assert await world.deliver(acme.event("customer.created", 0, email="a@example.org")) == "IGNORED"
    assert await world.deliver(acme.event("customer.updated", 8, email="c@example.org", name="Cyd")) == "PROCESSED"
    assert await world.profile(acme.account_id) == {
        "email": "c@example.org",
        "name": "Cyd",
        "stripe_customer_id": "",
        "customer_attempt": 1,
        "customer_update_time_us": (NOW_S + 8) * SECOND_US,
    }


async def test_the_customer_that_came_in_its_place_is_left_alone(world, acme):
    assert await world.deliver(acme.event("customer.deleted", 9)) == "PROCESSED"
    second = world.customer(acme.account_id, "cus_second", email="second@example.org", name="Second")
    assert await world.deliver(world.event("customer.created", second, created_s=NOW_S + 20)) == "PROCESSED"
    for event_type in ("customer.updated", "customer.deleted"):
        assert await world.deliver(acme.event(event_type, 30, email="c@example.org")) == "IGNORED"
    profile = await world.profile(acme.account_id)
    assert (profile["email"], profile["stripe_customer_id"], profile["customer_attempt"]) == (
        "second@example.org",
        "cus_second",
        1,
    )


@pytest.mark.parametrize(
    ("fields", "email", "name"),
    [
        ({"email": None, "name": None}, "", ""),
        ({"email": "e" * 320, "name": "n" * 256}, "e" * 320, "n" * 256),
        ({"email": "e" * 321, "name": "n" * 5_000}, "", "n" * 256),
        ({"email": "a\x00b", "name": "a\x00b"}, "", ""),
        ({"email": 7, "name": ["Ada"]}, "", ""),
        ({"email": "Zo\u00eb@x", "name": "\u202e\N{SNOWMAN}\n"}, "Zo\u00eb@x", "\u202e\N{SNOWMAN}\n"),
        (
            {
                "email": "a@b",
                "name": "Ada",
                "address": 7,
                "created": None,
                "sources": {"has_more": True},
                "balance": 2**70,
            },
            "a@b",
            "Ada",
        ),
    ],
)
async def test_odd_words_of_a_customer_are_no_defect(world, acme, fields, email, name):
    assert await world.deliver(acme.event("customer.updated", 7, **fields)) == "PROCESSED"
    assert await acme.says() == (email, name, 7)


async def test_a_new_customer_takes_nothing_from_its_account(world):
    """It may lack an address that Stripe would not take."""
    account_id = await world.account(email="own@localhost", name="Own")
    assert await world.deliver(Acme(world, account_id).event("customer.created", 0)) == "PROCESSED"
    profile = await world.profile(account_id)
    assert (profile["email"], profile["name"], profile["stripe_customer_id"]) == ("own@localhost", "Own", "cus_acme")


async def test_a_customer_s_event_without_a_time_is_kept_for_a_person(world, acme):
    about = world.customer(acme.account_id, "cus_acme", email="c@example.org")
    assert await world.deliver(world.event("customer.updated", about, created_s=None)) == "QUARANTINED"
    assert await acme.says() == ("b@example.org", "Bea", 5)
    assert await world.deliver(world.event("customer.deleted", about, created_s=None)) == "PROCESSED"


@pytest.mark.parametrize("customer_id", ["somebody@example.org", "customer 7", "kunde-\u00e4\u00f6\u00fc"])
async def test_an_id_that_somebody_chose_is_an_id(world, customer_id):
    account_id = await world.account()
    about = world.customer(account_id, customer_id, email="a@example.org")
    assert await world.deliver(world.event("customer.created", about)) == "PROCESSED"
    assert (await world.profile(account_id))["stripe_customer_id"] == customer_id
