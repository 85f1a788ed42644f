"""Deductions as callers meet them: modes, debt, overdraft, frozen and expired credits, reversals, history."""

import pytest
from prepaid.billing.v1.transactions_pb2 import TransactionKind

from billing_service.clock import system_clock_us
from tests.end_to_end.spending import ALLOW_DEBT, REJECT, SHORT, UP_TO_AVAILABLE, deduct, grant, shown
from tests.support.doubles import DAY_US, START_US
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import Wire, key, told

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def statement(wire, account_id, **options):
    rows = (await wire.call("ListTransactions", account_id=account_id, **options)).transactions
    return [
        (TransactionKind.Name(row.kind).removeprefix("TRANSACTION_KIND_"), row.amount_microcredits / CREDIT)
        for row in rows
    ]


@pytest.mark.parametrize(
    ("withheld", "overdraft", "mode", "asked", "taken", "after"),
    [
        (0, 0, REJECT, 1, None, (0, 0, 0)),
        (10, 0, REJECT, 11, None, (10, 0, 0)),
        (10, 5, REJECT, 16, None, (10, 0, 0)),
        (10, 0, REJECT, 10, 10, (0, 0, 0)),
        (10, 5, REJECT, 15, 15, (0, 0, 5)),
        (0, 5, REJECT, 5, 5, (0, 0, 5)),
        (0, 0, UP_TO_AVAILABLE, 1, 0, (0, 0, 0)),
        (10, 5, UP_TO_AVAILABLE, 99, 10, (0, 0, 0)),
        (10, 0, UP_TO_AVAILABLE, 4, 4, (6, 0, 0)),
        (10, 0, ALLOW_DEBT, 25, 25, (0, 0, 15)),
        (0, 0, ALLOW_DEBT, 10_001, None, (0, 0, 0)),
        (0, 0, ALLOW_DEBT, 10_000, 10_000, (0, 0, 10_000)),
        (0, 20_000, ALLOW_DEBT, 20_000, 20_000, (0, 0, 20_000)),
    ],
)
async def test_modes(*, wire, new_account, withheld, overdraft, mode, asked, taken, after):
    account_id = new_account()
    await wire.do("CreateAccount", account_id=account_id)
    if withheld:
        await grant(wire, account_id, withheld)
    limit = {"overdraft_limit_microcredits": overdraft * CREDIT, "reason": "credit line"}
    await wire.do("SetOverdraftLimit", account_id=account_id, **limit)
    version = (await wire.call("GetBalance", account_id=account_id)).balance.account_version
    fields = {"account_id": account_id, "amount_microcredits": asked * CREDIT, "mode": mode, "idempotency_key": "k"}
    if taken is None:
        refused = await wire.error("DeductCredits", **fields)
        assert told(refused) == SHORT
        owable = {REJECT: overdraft, ALLOW_DEBT: max(overdraft, 10_000)}[mode]
        figures = {"available": withheld, "required": asked, "shortfall": asked - withheld - owable}
        figures |= {"debt_max": owable} if mode == ALLOW_DEBT else {}
        assert refused.metadata == {f"{name}_microcredits": str(figure * CREDIT) for name, figure in figures.items()}
    else:
        done = await wire.call("DeductCredits", **fields)
        assert done.deducted_microcredits == taken * CREDIT
        assert done.transaction_id
        assert sum(draw.amount_microcredits for draw in done.draws) == min(withheld, taken) * CREDIT
    assert await shown(wire, account_id) == after
    moved = (await wire.call("GetBalance", account_id=account_id)).balance.account_version - version
    assert moved == (0 if taken is None else 1)


async def test_debt_is_settled_first_by_what_comes(stack, wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 1)
    await deduct(wire, account_id, 1501, ALLOW_DEBT)
    assert (await grant(wire, account_id, 400)).balance.debt_microcredits == 1100 * CREDIT
    await stack.buy(account_id)
    assert await shown(wire, account_id) == (0, 0, 100)
    assert (await deduct(wire, account_id, 5, UP_TO_AVAILABLE)).deducted_microcredits == 0
    adjusted = await wire.do(
        "AdjustCredits", account_id=account_id, amount_microcredits=150 * CREDIT, reason="goodwill"
    )
    assert (adjusted.balance.available_microcredits, adjusted.balance.debt_microcredits) == (50 * CREDIT, 0)


async def test_a_frozen_account_spends_nothing_and_still_receives(stack, wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 10)
    frozen = await wire.do("FreezeAccount", account_id=account_id, frozen=True, reason="fraud")
    assert frozen.account.frozen
    for mode in (REJECT, UP_TO_AVAILABLE, ALLOW_DEBT):
        refused = await wire.error(
            "DeductCredits", account_id=account_id, amount_microcredits=1, mode=mode, idempotency_key=key()
        )
        assert told(refused) == ("FAILED_PRECONDITION", "ACCOUNT_FROZEN")
    await stack.buy(account_id)
    assert await shown(wire, account_id) == (0, 1010, 0)
    await wire.do("FreezeAccount", account_id=account_id, frozen=False, reason="cleared")
    assert await shown(wire, account_id) == (1010, 0, 0)


async def test_lots_go_in_the_published_order(stack, wire, new_account):
    account_id = new_account()
    await stack.buy(account_id)
    late = await grant(wire, account_id, 1, expire_time="2090-01-01T00:00:00Z")
    plan = await grant(wire, account_id, 1, category=2)
    free = await grant(wire, account_id, 1)
    first = await grant(wire, account_id, 1, priority=0, category=3)
    soon = await grant(wire, account_id, 1, expire_time="2089-01-01T00:00:00Z")
    done = await deduct(wire, account_id, 6)
    drawn = [draw.lot_id for draw in done.draws]
    assert drawn[:5] == [first.lot_id, soon.lot_id, late.lot_id, free.lot_id, plan.lot_id]
    assert [draw.category for draw in done.draws] == [3, 1, 1, 1, 2, 3]


async def test_reversals_in_parts_return_to_where_it_came_from(wire, new_account):
    account_id = new_account()
    free, paid = await grant(wire, account_id, 10), await grant(wire, account_id, 10, category=3)
    done = await deduct(wire, account_id, 25, ALLOW_DEBT)
    target = {"account_id": account_id, "transaction_id": done.transaction_id}
    steps = [
        (3, (0, 0, 2), []),
        (4, (2, 0, 0), [(paid.lot_id, 2)]),
        (9, (11, 0, 0), [(paid.lot_id, 8), (free.lot_id, 1)]),
    ]
    for amount, after, lots in steps:
        back = await wire.do("ReverseDeduction", **target, amount_microcredits=amount * CREDIT, reason="failed")
        assert back.reversed_microcredits == amount * CREDIT
        assert [(draw.lot_id, -draw.amount_microcredits // CREDIT) for draw in back.draws] == lots
        assert await shown(wire, account_id) == after
    refused = await wire.error("ReverseDeduction", **target, amount_microcredits=9 * CREDIT + 1, idempotency_key=key())
    assert told(refused) == ("FAILED_PRECONDITION", "DEDUCTION_ALREADY_REVERSED")
    assert refused.metadata == {"reversible_microcredits": str(9 * CREDIT)}
    assert (await wire.do("ReverseDeduction", **target)).reversed_microcredits == 9 * CREDIT
    assert await shown(wire, account_id) == (20, 0, 0)
    refused = await wire.error("ReverseDeduction", **target, idempotency_key=key())
    assert told(refused) == ("FAILED_PRECONDITION", "DEDUCTION_ALREADY_REVERSED")


async def test_a_reversal_and_a_failed_refund_may_fill_one_lot_past_its_size(stack, wire, new_account):
    """300 spent of 1,000; all refunded with debt; a gift settles the debt; the refund fails; the spending is undone,
    too."""
    account_id = new_account()
    made = await wire.do("CreatePurchase", account_id=account_id, package_code="starter")
    await stack.pay(made.purchase.checkout_url, "4000000000007726")
    await stack.webhooks()
    spent = await deduct(wire, account_id, 300)
    begun = await wire.do("Refund", purchase_id=made.purchase.purchase_id, policy=2)
    await grant(wire, account_id, 300)
    assert await shown(wire, account_id) == (0, 1000, 0)
    await stack.control(f"refunds/{begun.refund.stripe_refund_id}/settle", {"status": "failed"})
    await stack.webhooks()
    assert await shown(wire, account_id) == (1000, 0, 0)
    await wire.do("ReverseDeduction", account_id=account_id, transaction_id=spent.transaction_id)
    assert await shown(wire, account_id) == (1300, 0, 0)


async def test_statements_page_filter_and_carry_words(wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 100)
    for number in range(7):
        await deduct(wire, account_id, 1, description=f"call {number}", metadata={"n": str(number)})
    pages, token = [], ""
    while True:
        page = await wire.call("ListTransactions", account_id=account_id, page_size=3, page_token=token)
        pages.append([row.account_version for row in page.transactions])
        token = page.next_page_token
        if len(pages) == 1:
            await deduct(wire, account_id, 1)
        if not token:
            break
    assert pages == [[8, 7, 6], [5, 4, 3], [2, 1]], "what comes while pages are turned shifts none of them"
    assert await statement(wire, account_id, kind=2) == [("GRANT", 100)]
    rows = (await wire.call("ListTransactions", account_id=account_id)).transactions
    assert [row.description for row in rows[1:4]] == ["call 6", "call 5", "call 4"]
    assert dict(rows[1].metadata) == {"n": "6"}
    assert [row.balance_after_microcredits // CREDIT for row in rows] == [92, 93, 94, 95, 96, 97, 98, 99, 100]
    moment = rows[4].create_time.ToJsonString()
    since = await wire.call("ListTransactions", account_id=account_id, start_time=moment)
    until = await wire.call("ListTransactions", account_id=account_id, end_time=moment)
    assert {row.transaction_id for row in since.transactions} >= {row.transaction_id for row in rows[:5]}
    assert {row.transaction_id for row in since.transactions} | {row.transaction_id for row in until.transactions} == {
        row.transaction_id for row in rows
    }
    first = await wire.call("ListTransactions", account_id=account_id, page_size=1)
    for other in ({"kind": 3}, {"start_time": "2020-01-01T00:00:00Z"}):
        refused = await wire.error("ListTransactions", account_id=account_id, page_token=first.next_page_token, **other)
        assert told(refused) == ("INVALID_ARGUMENT", "INVALID_FIELD")


async def test_credits_live_between_their_moments(database, new_account, monkeypatch):
    """The service's clock is moved; nobody sweeps in between."""
    shift = [START_US - system_clock_us()]
    monkeypatch.setattr("billing_service.bootstrap.system_clock_us", lambda: system_clock_us() + shift[0])
    async with (
        running_stack(database.url, BILLING_EXPIRY_SWEEP_INTERVAL_S="86400") as stack,
        Wire(stack.service.address) as wire,
    ):
        account_id = new_account()
        await grant(wire, account_id, 5, expire_time="2027-01-20T00:00:00Z")
        await grant(wire, account_id, 7, effective_time="2027-01-19T00:00:00Z", expire_time="2027-01-22T00:00:00Z")
        kept = await deduct(wire, account_id, 1)
        first = (await wire.call("GetBalance", account_id=account_id)).balance
        assert await shown(wire, account_id) == (4, 7, 0)
        assert (first.next_expiry_time.ToJsonString(), first.next_expiry_microcredits) == (
            "2027-01-20T00:00:00Z",
            4 * CREDIT,
        )
        shift[0] += 4 * DAY_US
        assert await shown(wire, account_id) == (11, 0, 0)
        shift[0] += DAY_US
        assert await shown(wire, account_id) == (7, 0, 0)
        refused = await wire.error(
            "DeductCredits", account_id=account_id, amount_microcredits=8 * CREDIT, idempotency_key="k"
        )
        assert refused.metadata["available_microcredits"] == str(7 * CREDIT)
        await wire.do("ReverseDeduction", account_id=account_id, transaction_id=kept.transaction_id)
        assert await shown(wire, account_id) == (7, 0, 0), "what comes back to an expired lot is expired"
        shift[0] += 2 * DAY_US
        assert (await deduct(wire, account_id, 1, UP_TO_AVAILABLE)).deducted_microcredits == 0
        assert await shown(wire, account_id) == (0, 0, 0)
