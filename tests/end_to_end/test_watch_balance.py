"""WatchBalance over a real socket, on both stores: what is shown first, what is shown next and how soon, and what ends
it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from billing_client.errors import InvalidField

from billing_service.api.streams import watched_balances
from billing_service.clock import system_clock_us
from billing_service.jobs.expiry import sweep_expired
from tests.end_to_end.holding import hold
from tests.end_to_end.money import deduct, grant
from tests.end_to_end.test_batches_of_deductions import rich
from tests.support.doubles import SECOND_US
from tests.support.patience import PATIENCE_S
from tests.support.stack import CREDIT, running_stack
from tests.support.watching import Watch
from tests.support.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOBODY_SWEEPS = {"BILLING_EXPIRY_SWEEP_INTERVAL_S": "86400", "BILLING_LOG_LEVEL": "ERROR"}
MINUTE_US = 60 * SECOND_US


async def balance(wire, account_id):
    return (await wire.call("GetBalance", account_id=account_id)).balance


def moment(shown):
    return shown.account_version, shown.as_of_time.ToMicroseconds()


async def test_the_present_balance_comes_first_whatever_version_the_caller_has(wire, new_account):
    account_id = await rich(wire, new_account(), 10)
    read = await balance(wire, account_id)
    for after_version in (0, 1, read.account_version):
        watch = Watch(wire, account_id, after_version)
        first = await watch.next()
        assert moment(first) > moment(read)
        first.as_of_time.CopyFrom(read.as_of_time)
        assert first == read
        watch.end()


async def test_a_version_that_the_account_has_not_reached_is_refused(wire, new_account):
    account_id = await rich(wire, new_account(), 10)
    with pytest.raises(InvalidField) as refused:
        await Watch(wire, account_id, after_version=2).next()
    ((field, words),) = refused.value.violations
    assert field == "after_version"
    assert "version 1" in words


async def test_each_change_is_shown_by_whichever_rpc_it_came(wire, new_account):
    account_id = await rich(wire, new_account(), 100)
    watch = Watch(wire, account_id)
    shown = [await watch.next()]

    async def after(rpc, **fields):
        await wire.do(rpc, account_id=account_id, **fields)
        shown.append(await watch.next())
        return shown[-1]

    spent = await after("DeductCredits", amount_microcredits=30 * CREDIT)
    assert (spent.available_microcredits, spent.account_version) == (70 * CREDIT, 2)
    held = await after("HoldCredits", amount_microcredits=20 * CREDIT)
    assert (held.available_microcredits, held.held_microcredits) == (50 * CREDIT, 20 * CREDIT)
    granted = await after("GrantCredits", amount_microcredits=5 * CREDIT, reason="gift")
    assert granted.available_microcredits == 55 * CREDIT
    frozen = await after("FreezeAccount", frozen=True, reason="check")
    assert (frozen.available_microcredits, frozen.frozen_microcredits) == (0, 55 * CREDIT)
    assert frozen.account_version == granted.account_version, "a freeze makes no version"
    assert (await after("FreezeAccount", frozen=False, reason="checked")).available_microcredits == 55 * CREDIT
    assert [moment(each) for each in shown] == sorted({moment(each) for each in shown})
    watch.end()


async def test_what_changes_nothing_shows_nothing(wire, new_account):
    account_id, other = await rich(wire, new_account(), 10), await rich(wire, new_account(), 10)
    watch = Watch(wire, account_id)
    await watch.next()
    await wire.do("UpdateAccount", account_id=account_id, name="Ada")
    await wire.refusal("DeductCredits", account_id=account_id, amount_microcredits=11 * CREDIT, idempotency_key="much")
    await deduct(wire, other, 1)
    second = Watch(wire, account_id)
    assert (await second.next()).account_version == 1, "and has the account read again"
    await deduct(wire, account_id, 1)
    assert ((await watch.next()).account_version, (await second.next()).account_version) == (2, 2)
    watch.end()
    second.end()


async def test_what_this_process_commits_is_shown_at_once(wire, new_account, monkeypatch):
    monkeypatch.setattr(watched_balances, "LOOK_EVERY_S", 2 * PATIENCE_S)
    account_id = await rich(wire, new_account(), 1_000)
    watch = Watch(wire, account_id)
    await watch.next()
    for version in range(2, 12):
        await deduct(wire, account_id, 1)
        assert (await watch.next()).account_version == version
    watch.end()


async def test_a_burst_is_shown_as_few_and_its_last_state_always(wire, new_account):
    account_id = await rich(wire, new_account(), 1_000)
    watch = Watch(wire, account_id)
    await watch.next()
    for _ in range(20):
        await asyncio.gather(
            *(wire.do("DeductCredits", account_id=account_id, amount_microcredits=1) for _ in range(10))
        )
    shown = [await watch.next()]
    while shown[-1].account_version < 201:
        shown.append(await watch.next())
    assert shown[-1].available_microcredits == 1_000 * CREDIT - 200
    assert [moment(each) for each in shown] == sorted({moment(each) for each in shown})
    assert len(shown) < 60
    watch.end()


@pytest.fixture
def shift(monkeypatch):
    """Microseconds that the service's clock is ahead; nobody sweeps by itself."""
    ahead = [0]
    monkeypatch.setattr("billing_service.bootstrap.system_clock_us", lambda: system_clock_us() + ahead[0])
    return ahead


@pytest_asyncio.fixture(loop_scope="session")
async def product(database, shift):
    del shift
    async with running_stack(database.url, **NOBODY_SWEEPS) as stack, Wire(stack.service.address) as wire:
        yield stack, wire


def rfc(minutes):
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


async def test_time_is_shown_as_it_moves_the_balance_without_a_version(product, new_account, shift):
    stack, wire = product
    account_id = new_account()
    await grant(wire, account_id, 1, effective_time=rfc(10), expire_time=rfc(60))
    await grant(wire, account_id, 10, expire_time=rfc(20))
    await grant(wire, account_id, 100)
    await hold(wire, account_id, 5, ttl="1800s")
    watch = Watch(wire, account_id)
    shown = [await watch.next()]
    assert (shown[0].available_microcredits, shown[0].frozen_microcredits) == (105 * CREDIT, CREDIT)
    for minutes in (11, 21, 31, 61):
        shift[0] = minutes * MINUTE_US
        shown.append(await watch.next())
    assert [each.available_microcredits // CREDIT for each in shown] == [105, 106, 101, 101, 100]
    assert [each.held_microcredits // CREDIT for each in shown] == [5, 5, 5, 0, 0]
    assert len({each.account_version for each in shown}) == 1
    assert [moment(each) for each in shown] == sorted({moment(each) for each in shown})
    await sweep_expired(stack.service.environment)
    booked = await watch.next()
    assert booked.account_version > shown[-1].account_version
    assert booked.available_microcredits == 100 * CREDIT
    watch.end()


async def test_a_drain_ends_it_with_the_reason_that_streams_have(database):
    async with running_stack(database.url, **NOBODY_SWEEPS) as stack, Wire(stack.service.address) as wire:
        account_id = await rich(wire, "drained", 10)
        watch = Watch(wire, account_id)
        await watch.next()
        stopping = asyncio.ensure_future(stack.service.server.stop())
        with pytest.raises(Exception, match="watch again") as ended:
            await watch.next()
        assert (ended.value.status.name, ended.value.reason) == ("UNAVAILABLE", "SHUTTING_DOWN")
        await stopping
        assert stack.service.server.edge.admission.watchers == stack.service.server.edge.admission.in_flight == 0


@pytest.mark.parametrize("store_name", ["postgresql"])
async def test_another_process_s_changes_are_shown_within_a_second(product, database):
    _, wire = product
    account_id = await rich(wire, "shared", 1_000)
    async with running_stack(database.url, **NOBODY_SWEEPS) as other, Wire(other.service.address) as there:
        watch = Watch(wire, account_id)
        await watch.next()
        delays = []
        for _ in range(20):
            spent = await there.do("DeductCredits", account_id=account_id, amount_microcredits=CREDIT)
            begun = asyncio.get_running_loop().time()
            assert (await watch.next()).account_version == spent.balance.account_version
            delays.append(asyncio.get_running_loop().time() - begun)
        assert max(delays) < 1, delays
        watch.end()
