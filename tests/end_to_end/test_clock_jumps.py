"""The service's clock leaps a day ahead and a day back under load: no order, no id, no page, no chain and no expiry
depends on it."""

import asyncio
import itertools
from datetime import UTC, datetime

import pytest

from billing_service.clock import system_clock_us
from tests.end_to_end.leaping_clock import LeapingClock
from tests.support.doubles import DAY_US, SECOND_US
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import Wire, key, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEAPS_US = (0, DAY_US, -DAY_US, DAY_US, 0)
CALLERS = 8
DEDUCTIONS_EACH = 5
"""Of each caller between two leaps."""


@pytest.fixture
def clock(monkeypatch):
    return LeapingClock().rule(monkeypatch)


def moment(us):
    return datetime.fromtimestamp(us / SECOND_US, UTC).isoformat().replace("+00:00", "Z")


async def grant(wire, account_id, credits_, **about):
    return await wire.do(
        "GrantCredits", account_id=account_id, amount_microcredits=credits_ * CREDIT, reason="gift", **about
    )


async def spend(wire, account_id, times):
    for _ in range(times):
        await wire.do("DeductCredits", account_id=account_id, amount_microcredits=CREDIT)


async def pages(wire, account_id, token="", **filters):
    """All lines from a token on, newest first."""
    lines = []
    while True:
        page = await wire.call("ListTransactions", account_id=account_id, page_size=7, page_token=token, **filters)
        lines += page.transactions
        token = page.next_page_token
        if not token:
            return lines


async def test_a_leaping_clock_breaks_no_order_no_page_and_no_chain(database, new_account, clock):
    account_id = new_account()
    async with running_stack(database.url, BILLING_LOG_LEVEL="ERROR") as stack, Wire(stack.service.address) as wire:
        await grant(wire, account_id, 1_000)
        first = await wire.call("ListTransactions", account_id=account_id, page_size=1)
        tokens = []
        for by_us in LEAPS_US:
            clock.off_us = by_us
            callers = asyncio.gather(*(spend(wire, account_id, DEDUCTIONS_EACH) for _ in range(CALLERS)))
            made = await wire.attempt(
                "CreatePurchase", account_id=account_id, package_code="starter", idempotency_key=key()
            )
            await callers
            page = await wire.call("ListTransactions", account_id=account_id, page_size=7)
            tokens.append((page.transactions[-1].account_version, page.next_page_token))
            again = await wire.call(
                "DeductCredits", account_id=account_id, amount_microcredits=CREDIT, idempotency_key="one of all times"
            )
            assert again.replayed is (len(tokens) > 1)
            # Stripe takes no page that ends more than a day away, or in the past; that is all that a wrong clock may
            # cost.
            assert told(made) == ("FAILED_PRECONDITION", "STRIPE_REFUSED") if by_us else made.purchase.checkout_url
        lines = await pages(wire, account_id)
        assert [line.account_version for line in lines] == list(range(len(lines), 0, -1))
        assert lines[-1] == first.transactions[0]
        assert (
            len({line.transaction_id for line in lines}) == len(lines) == 2 + len(LEAPS_US) * CALLERS * DEDUCTIONS_EACH
        )
        balances = [line.balance_after_microcredits // CREDIT for line in lines]
        assert balances == list(range(1_000 - len(lines) + 1, 1_001))
        for version, token in tokens:
            rest = await pages(wire, account_id, token)
            assert [line.account_version for line in rest] == list(range(version - 1, 0, -1)), (
                "a page token of another time"
            )
        report = await wire.call("VerifyLedger", account_id=account_id)
        assert not report.differences


async def test_a_statement_of_a_period_holds_every_line_of_it(database, new_account, clock):
    """Also those before which the clock was ahead, and after which it was set back."""
    account_id = new_account()
    async with running_stack(database.url, BILLING_LOG_LEVEL="ERROR") as stack, Wire(stack.service.address) as wire:
        await grant(wire, account_id, 1_000)
        for by_us in LEAPS_US:
            clock.off_us = by_us
            await spend(wire, account_id, 10)
        lines = await pages(wire, account_id)
        times = [line.create_time.ToMicroseconds() for line in lines]
        assert times != sorted(times, reverse=True), "the clock never went back"
        edges = [system_clock_us() + hours * 3_600 * SECOND_US for hours in (-36, -12, 12, 36)]
        for start_us, end_us in itertools.combinations(edges, 2):
            wanted = [line.transaction_id for line, us in zip(lines, times, strict=True) if start_us <= us < end_us]
            found = await pages(wire, account_id, start_time=moment(start_us), end_time=moment(end_us))
            assert [line.transaction_id for line in found] == wanted, (moment(start_us), moment(end_us))


async def test_credits_outlive_a_leap_of_the_clock(database, new_account, clock):
    """Ahead of time they can't be spent, as the clock says; once it is right again, they can, and nothing was booked
    meanwhile."""
    account_id = new_account()
    settings = {"BILLING_LOG_LEVEL": "ERROR", "BILLING_EXPIRY_SWEEP_INTERVAL_S": "1"}
    async with running_stack(database.url, **settings) as stack, Wire(stack.service.address) as wire:
        await grant(wire, account_id, 5, expire_time=moment(system_clock_us() + DAY_US // 2))
        clock.off_us = DAY_US
        refused = await wire.refusal(
            "DeductCredits", account_id=account_id, amount_microcredits=CREDIT, idempotency_key=key()
        )
        assert refused == ("FAILED_PRECONDITION", "INSUFFICIENT_CREDITS")
        await swept(stack.service)
        clock.off_us = 0
        assert (await wire.call("GetBalance", account_id=account_id)).balance.available_microcredits == 5 * CREDIT
        clock.off_us = -DAY_US
        await spend(wire, account_id, 5)
        assert [line.amount_microcredits // CREDIT for line in await pages(wire, account_id)] == [-1] * 5 + [5]


async def swept(service):
    """Waits until the job that books expired credits has looked once more."""
    counted = service.environment.store.read_counters
    async with asyncio.timeout(20):
        before = counted.statements
        while counted.statements == before:  # noqa: ASYNC110 - the job tells nobody
            await asyncio.sleep(0.05)
