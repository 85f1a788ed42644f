"""What is taken back, and what comes back of debt: each rule with the case that would break it, on both stores."""

from datetime import UTC, datetime, timedelta

import pytest
from prepaid.billing.v1.transactions_pb2 import CREDIT_CATEGORY_PAID, CREDIT_CATEGORY_PROMOTIONAL

from billing_service.clock import system_clock_us
from billing_service.jobs.expiry import sweep_expired
from billing_service.ledger import settled_debt
from billing_service.storage.rows.ledger import read_accounts
from billing_service.storage.rows.ledger_statements import REWRITE_LOTS
from tests.end_to_end.money import ALLOW_DEBT, WITH_DEBT, deduct, grant, quote, shown, undo
from tests.support.doubles import DAY_US
from tests.support.stack import CREDIT, running_stack
from tests.support.webhooks_withheld import PENDING_REFUND_CARD
from tests.support.wire import Wire, key, told

NOBODY_SWEEPS = {"BILLING_EXPIRY_SWEEP_INTERVAL_S": "86400"}
pytestmark = pytest.mark.asyncio(loop_scope="session")


def in_days(days):
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def balance(wire, account_id):
    return (await wire.call("GetBalance", account_id=account_id)).balance


@pytest.fixture
def shift(monkeypatch):
    """Microseconds that the service's clock is ahead; nobody sweeps by itself."""
    ahead = [0]
    monkeypatch.setattr("billing_service.bootstrap.system_clock_us", lambda: system_clock_us() + ahead[0])
    return ahead


@pytest.mark.parametrize("after_days", [0, 8])
async def test_an_expiry_is_not_laundered_through_debt(database, new_account, shift, after_days):
    """Owe 1,000, pay it by a trial of 7 days, undo the deduction: 1,000 that never end."""
    async with running_stack(database.url, **NOBODY_SWEEPS) as stack, Wire(stack.service.address) as wire:
        account_id = new_account()
        await wire.do("CreateAccount", account_id=account_id)
        owed = await deduct(wire, account_id, 1000, ALLOW_DEBT)
        ends = in_days(7)
        trial = await grant(wire, account_id, 1000, expire_time=ends)
        assert await shown(wire, account_id) == (0, 0, 0)
        shift[0] = after_days * DAY_US
        back = await undo(wire, account_id, owed)
        assert [(draw.lot_id, draw.amount_microcredits) for draw in back.draws] == [(trial.lot_id, -1000 * CREDIT)]
        if after_days:
            assert await shown(wire, account_id) == (0, 0, 0)
            return
        withheld = await balance(wire, account_id)
        assert (withheld.available_microcredits, withheld.next_expiry_microcredits) == (1000 * CREDIT, 1000 * CREDIT)
        assert withheld.next_expiry_time.ToJsonString() == ends
        shift[0] = 7 * DAY_US
        assert await shown(wire, account_id) == (0, 0, 0)


@pytest.mark.parametrize(("links", "a_read", "known"), [(2_000, 500, True), (2_000, 2, True), (4, 2, False)])
async def test_who_paid_is_known_as_far_as_history_is_walked(
    *, stack, wire, new_account, monkeypatch, links, a_read, known
):
    """Else what comes back is promotional, and ends after 30 days."""
    monkeypatch.setattr(settled_debt, "LINKS_MAX", links)
    monkeypatch.setattr(settled_debt, "LINKS_A_READ", a_read)
    account_id = new_account()
    await grant(wire, account_id, 1)
    owed = await deduct(wire, account_id, 401, ALLOW_DEBT)
    bought = await stack.buy(account_id)
    for _ in range(7):
        await deduct(wire, account_id, 10)
    assert await shown(wire, account_id) == (530, 0, 0)
    await undo(wire, account_id, owed, amount_microcredits=400 * CREDIT)
    withheld = await balance(wire, account_id)
    assert (withheld.available_microcredits, withheld.paid_microcredits) == (
        930 * CREDIT,
        (930 if known else 530) * CREDIT,
    )
    if not known:
        day = withheld.next_expiry_time.ToDatetime() - datetime.now(UTC).replace(tzinfo=None)
        assert timedelta(days=29, hours=23) < day < timedelta(days=30, minutes=1)
    assert (await quote(wire, bought))[0] == (930 if known else 530)


async def test_how_long_such_credits_last_is_a_setting(database, new_account, monkeypatch):
    monkeypatch.setattr(settled_debt, "LINKS_MAX", 0)
    settings = {"BILLING_RETURNED_CREDITS_LIFETIME_S": "3600"}
    async with running_stack(database.url, **settings) as stack, Wire(stack.service.address) as wire:
        account_id = new_account()
        await wire.do("CreateAccount", account_id=account_id)
        owed = await deduct(wire, account_id, 5, ALLOW_DEBT)
        await grant(wire, account_id, 5, category=CREDIT_CATEGORY_PAID)
        back = await undo(wire, account_id, owed)
        assert [draw.category for draw in back.draws] == [CREDIT_CATEGORY_PROMOTIONAL]
        left_s = (await balance(wire, account_id)).next_expiry_time.seconds - system_clock_us() // 1_000_000
        assert 3_500 < left_s <= 3_600


async def test_bought_credits_that_paid_a_debt_are_refundable_when_it_is_undone(stack, wire, new_account):
    account_id = new_account()
    await wire.do("CreateAccount", account_id=account_id)
    owed = await deduct(wire, account_id, 300, ALLOW_DEBT)
    bought = await stack.buy(account_id)
    assert (await quote(wire, bought))[0] == 700
    for part in (100, 200):
        await undo(wire, account_id, owed, amount_microcredits=part * CREDIT)
    assert await quote(wire, bought) == (1000, 1000, 0, 0)


async def buy(stack, wire, account_id, credits_):
    """A purchase whose refunds take their time, and may fail."""
    made = await wire.do("CreatePurchase", account_id=account_id, custom_amount_minor=credits_)
    await stack.pay(made.purchase.checkout_url, PENDING_REFUND_CARD)
    await stack.webhooks()
    return made.purchase


async def run_out(stack, account_id, *, swept):
    """What is left of the account's one lot has expired, as that of a subscription's period does; and it is booked, or
    not yet."""
    environment = stack.service.environment

    def end():
        (lot,) = (yield from read_accounts([account_id]))[account_id].lots
        yield REWRITE_LOTS.many([(account_id, lot.lot_id, lot.remaining, 1, environment.clock_us() - 1, 0, "", 0)])

    await environment.store.write(end)
    if swept:
        assert await sweep(stack) == 1


async def settle(stack, refund, status):
    await stack.control(f"refunds/{refund.stripe_refund_id}/settle", {"status": status})
    await stack.webhooks()


async def sweep(stack):
    environment = stack.service.environment
    return await sweep_expired(environment)


@pytest.fixture(params=[False, True], ids=["unswept", "swept"])
def swept(request):
    return request.param


async def test_what_expired_is_never_owed(database, new_account, swept):
    """2,000 credits for $20, 500 used, 1,500 expired, and all the money goes back: debt 2,000 after the sweep, 500
    before."""
    async with running_stack(database.url, **NOBODY_SWEEPS) as stack, Wire(stack.service.address) as wire:
        account_id = new_account()
        bought = await buy(stack, wire, account_id, 2000)
        await deduct(wire, account_id, 500)
        assert await quote(wire, bought) == (1500, 1500, 0, 0)
        await run_out(stack, account_id, swept=swept)
        refused = await wire.error("Refund", purchase_id=bought.purchase_id, amount_minor=1, idempotency_key=key())
        assert (told(refused)[1], refused.metadata) == ("CREDITS_ALREADY_SPENT", {"refundable_minor": "0"})
        assert await quote(wire, bought, WITH_DEBT) == (2000, 2000, 0, 500)
        begun = (await wire.do("Refund", purchase_id=bought.purchase_id, policy=WITH_DEBT)).refund
        assert (begun.reversed_microcredits, begun.debt_microcredits) == (2000 * CREDIT, 500 * CREDIT)
        assert await shown(wire, account_id) == (0, 500, 500), "what had expired is not set aside"
        await settle(stack, begun, "failed")
        assert await shown(wire, account_id) == (0, 0, 0)
        again = (await wire.do("Refund", purchase_id=bought.purchase_id, policy=WITH_DEBT)).refund
        assert again.debt_microcredits == 500 * CREDIT
        await settle(stack, again, "succeeded")
        await sweep(stack)
        assert await shown(wire, account_id) == (0, 0, 500)


async def test_debt_that_was_settled_meanwhile_is_usable_when_the_money_came_back(database, new_account, swept):
    async with running_stack(database.url, **NOBODY_SWEEPS) as stack, Wire(stack.service.address) as wire:
        account_id = new_account()
        bought = await buy(stack, wire, account_id, 2000)
        await deduct(wire, account_id, 500)
        await run_out(stack, account_id, swept=swept)
        begun = (await wire.do("Refund", purchase_id=bought.purchase_id, policy=WITH_DEBT)).refund
        await grant(wire, account_id, 800)
        assert await shown(wire, account_id) == (300, 500, 0)
        await settle(stack, begun, "failed")
        assert await shown(wire, account_id) == (800, 0, 0)


async def test_a_deduction_undone_after_a_clawback_is_not_owed_any_more(database, new_account, swept):
    """The credits come back into a lot that has expired: they are taken in the stead of the debt."""
    async with running_stack(database.url, **NOBODY_SWEEPS) as stack, Wire(stack.service.address) as wire:
        account_id = new_account()
        bought = await buy(stack, wire, account_id, 2000)
        used = await deduct(wire, account_id, 500)
        await run_out(stack, account_id, swept=swept)
        begun = (await wire.do("Refund", purchase_id=bought.purchase_id, policy=WITH_DEBT)).refund
        await settle(stack, begun, "succeeded")
        assert await shown(wire, account_id) == (0, 0, 500)
        await undo(wire, account_id, used, amount_microcredits=200 * CREDIT)
        assert await shown(wire, account_id) == (0, 0, 300)
        await undo(wire, account_id, used)
        assert await shown(wire, account_id) == (0, 0, 0)
        await sweep(stack)
        assert await shown(wire, account_id) == (0, 0, 0)


async def test_who_paid_for_a_clawback_is_paid_back_when_the_deduction_is_undone(stack, wire, new_account):
    """A second purchase paid the debt of a refund; the usage behind it is undone: the second one is whole, and
    refundable."""
    account_id = new_account()
    first = await stack.buy(account_id)
    used = await deduct(wire, account_id, 1000)
    await wire.do("Refund", purchase_id=first.purchase_id, policy=WITH_DEBT)
    assert await shown(wire, account_id) == (0, 0, 1000)
    second = await stack.buy(account_id)
    assert await shown(wire, account_id) == (0, 0, 0)
    await undo(wire, account_id, used)
    assert await shown(wire, account_id) == (1000, 0, 0)
    assert await quote(wire, second) == (1000, 1000, 0, 0)
