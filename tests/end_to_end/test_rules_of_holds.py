"""Holds: what they reserve, what captures charge, and how they end, each rule with its case, over a real socket on both
stores."""

import pytest
from prepaid.billing.v1.transactions_pb2 import TRANSACTION_KIND_HOLD, TRANSACTION_KIND_HOLD_RELEASE

from tests.end_to_end.holding import (
    ALLOW_DEBT,
    CAPTURED,
    EXPIRED,
    FROM_AVAILABLE,
    OPEN,
    REJECT,
    RELEASED,
    UP_TO_HOLD,
    capture,
    extend,
    figures,
    hold,
    release,
    sums,
)
from tests.end_to_end.money import deduct, grant, undo
from tests.support.stack import CREDIT
from tests.support.wire import key, row_counts, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHORT = ("FAILED_PRECONDITION", "INSUFFICIENT_CREDITS")
CLOSED = ("FAILED_PRECONDITION", "HOLD_CLOSED")
FROZEN = ("FAILED_PRECONDITION", "ACCOUNT_FROZEN")


async def refused(call):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - told says which
        await call
    return told(caught.value)


async def freeze(wire, account_id):
    await wire.do("FreezeAccount", account_id=account_id, frozen=True, reason="asked")


async def test_what_is_held_can_not_be_spent_and_comes_back(wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 100)
    held = await hold(wire, account_id, 70)
    assert await sums(wire, account_id) == (30, 70, 0, 0)
    assert await refused(deduct(wire, account_id, 31)) == SHORT
    assert await refused(hold(wire, account_id, 31)) == SHORT
    await deduct(wire, account_id, 30)
    back = await release(wire, account_id, held)
    assert (back.hold.state, back.balance.available_microcredits) == (RELEASED, 70 * CREDIT)
    assert await sums(wire, account_id) == (70, 0, 0, 0)
    assert await figures(wire, account_id, held) == (RELEASED, 70, 0, 70)
    assert await refused(release(wire, account_id, held)) == CLOSED
    assert await refused(capture(wire, account_id, held, 1)) == CLOSED
    assert await refused(extend(wire, account_id, held, 1)) == CLOSED


async def test_captures_draw_the_holds_lots_and_the_last_one_gives_back_the_rest(wire, new_account):
    account_id = new_account()
    first, second = await grant(wire, account_id, 10), await grant(wire, account_id, 100)
    held = await hold(wire, account_id, 60)
    part = await capture(wire, account_id, held, 25, final=False)
    assert [(draw.lot_id, draw.amount_microcredits // CREDIT) for draw in part.draws] == [
        (first.lot_id, 10),
        (second.lot_id, 15),
    ]
    assert (part.captured_microcredits, part.uncollected_microcredits) == (25 * CREDIT, 0)
    assert await figures(wire, account_id, held) == (OPEN, 60, 25, 0)
    assert await sums(wire, account_id) == (50, 35, 0, 0)
    last = await capture(wire, account_id, held, 5)
    assert (last.hold.state, last.balance.available_microcredits) == (CAPTURED, 80 * CREDIT)
    assert await figures(wire, account_id, held) == (CAPTURED, 60, 30, 30)
    back = await undo(wire, account_id, last)
    assert back.reversed_microcredits == 5 * CREDIT
    assert await sums(wire, account_id) == (85, 0, 0, 0)


async def test_a_final_capture_of_nothing_is_a_release(wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 10)
    held = await hold(wire, account_id, 10)
    unfinished = capture(wire, account_id, held, 0, final=False)
    assert await refused(unfinished) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    ended = await capture(wire, account_id, held, 0)
    assert (ended.captured_microcredits, ended.hold.state) == (0, RELEASED)
    assert await sums(wire, account_id) == (10, 0, 0, 0)


@pytest.mark.parametrize(
    ("over_hold", "charged", "left"),
    [(UP_TO_HOLD, 10, (6, 0, 0, 0)), (ALLOW_DEBT, 25, (0, 0, 0, 9)), (FROM_AVAILABLE, None, (6, 10, 0, 0))],
)
async def test_above_the_hold_each_policy_charges_its_own(wire, new_account, over_hold, charged, left):
    """25 were used, 10 held, 6 are available."""
    account_id = new_account()
    await grant(wire, account_id, 16)
    held = await hold(wire, account_id, 10)
    assert await refused(capture(wire, account_id, held, 25, REJECT)) == SHORT
    assert await sums(wire, account_id) == (6, 10, 0, 0), "the hold is as it was"
    if charged is None:
        assert await refused(capture(wire, account_id, held, 25, over_hold)) == SHORT
        assert (await capture(wire, account_id, held, 16, over_hold)).captured_microcredits == 16 * CREDIT
        assert await sums(wire, account_id) == (0, 0, 0, 0)
        return
    done = await capture(wire, account_id, held, 25, over_hold)
    amounts = (done.captured_microcredits // CREDIT, done.uncollected_microcredits // CREDIT)
    assert amounts == (charged, 25 - charged)
    assert await sums(wire, account_id) == left
    assert await figures(wire, account_id, held) == (CAPTURED, 10, 10, 0), "its own figures count the legs alone"


async def test_debt_above_a_hold_has_the_bound_of_all_debt(wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 10)
    limits = {"overdraft_limit_microcredits": 0, "debt_max_microcredits": 3 * CREDIT}
    await wire.do("SetOverdraftLimit", account_id=account_id, **limits, reason="little debt")
    held = await hold(wire, account_id, 10)
    done = await capture(wire, account_id, held, 20, ALLOW_DEBT)
    assert (done.captured_microcredits // CREDIT, done.uncollected_microcredits // CREDIT) == (13, 7)
    assert await sums(wire, account_id) == (0, 0, 0, 3)


async def test_available_above_a_hold_includes_the_overdraft(wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 10)
    limits = {"overdraft_limit_microcredits": 5 * CREDIT}
    await wire.do("SetOverdraftLimit", account_id=account_id, **limits, reason="credit line")
    held = await hold(wire, account_id, 10)
    assert await refused(hold(wire, account_id, 1)) == SHORT, "a hold reserves lots alone"
    assert await refused(capture(wire, account_id, held, 16, FROM_AVAILABLE)) == SHORT
    await capture(wire, account_id, held, 15, FROM_AVAILABLE)
    assert await sums(wire, account_id) == (0, 0, 0, 5)


async def test_up_to_available_reserves_what_is_there(wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 5)
    up_to = {"mode": 2, "minimum_microcredits": 6 * CREDIT}
    assert await refused(hold(wire, account_id, 10, **up_to)) == SHORT
    held = await hold(wire, account_id, 10, mode=2, minimum_microcredits=5 * CREDIT)
    assert await figures(wire, account_id, held) == (OPEN, 5, 0, 0)
    assert await refused(hold(wire, account_id, 10, mode=2)) == SHORT, "there is no hold of nothing"


async def test_a_dispute_makes_debt_of_what_is_held_and_its_release_pays(stack, wire, new_account):
    """Buy 10,000, hold 10,000, all the money goes back: debt 10,000. Capture 4,000, release 6,000: debt 4,000."""
    account_id = new_account()
    bought = await stack.buy(account_id, "pro")
    held = await hold(wire, account_id, 10_000)
    quoted = await wire.call("QuoteRefund", purchase_id=bought.purchase_id, policy=1)
    assert quoted.refundable_minor == 0, "what is held is not refundable"
    for amount in ({}, {"amount_minor": 1_000}):
        short = await wire.error("Refund", purchase_id=bought.purchase_id, policy=1, idempotency_key=key(), **amount)
        assert short.reason == "CREDITS_ALREADY_SPENT"
        assert dict(short.metadata) == {"refundable_minor": "0", "held_microcredits": str(10_000 * CREDIT)}
    await wire.do("Refund", purchase_id=bought.purchase_id, policy=2)
    assert await sums(wire, account_id) == (0, 10_000, 0, 10_000)
    assert await refused(extend(wire, account_id, held, ttl="3600s")) == SHORT, "while debt stands"
    await capture(wire, account_id, held, 4_000, final=False)
    assert await refused(capture(wire, account_id, held, 6_001, FROM_AVAILABLE)) == SHORT
    await release(wire, account_id, held)
    assert await sums(wire, account_id) == (0, 0, 0, 4_000)
    booked = (await wire.call("GetAccount", account_id=account_id)).account
    assert booked.debt_microcredits == 4_000 * CREDIT, "in the same transaction"
    await stack.webhooks()


async def test_a_frozen_account_captures_and_releases_and_holds_nothing_new(wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 100)
    one, other = await hold(wire, account_id, 30), await hold(wire, account_id, 20)
    await freeze(wire, account_id)
    assert await sums(wire, account_id) == (0, 50, 50, 0), "total = available + held + frozen - debt"
    assert await refused(hold(wire, account_id, 1)) == FROZEN
    assert await refused(extend(wire, account_id, one, 1)) == FROZEN
    assert await refused(capture(wire, account_id, one, 31, FROM_AVAILABLE)) == FROZEN
    assert await refused(capture(wire, account_id, one, 31, ALLOW_DEBT)) == FROZEN
    done = await capture(wire, account_id, one, 31, UP_TO_HOLD)
    assert (done.captured_microcredits, done.uncollected_microcredits) == (30 * CREDIT, CREDIT)
    await release(wire, account_id, other)
    assert await sums(wire, account_id) == (0, 0, 70, 0)


async def test_a_usage_that_one_method_charged_no_other_charges_again(wire, new_account):
    """The reply of a capture is lost, and the caller falls back to a deduction with the same key."""
    account_id = new_account()
    await grant(wire, account_id, 100)
    held = await hold(wire, account_id, 10)
    captured = await capture(wire, account_id, held, 10, idempotency_key="usage-1")
    amount = {"account_id": account_id, "amount_microcredits": 10 * CREDIT, "idempotency_key": "usage-1"}
    again = await wire.error("DeductCredits", **amount)
    assert (again.reason, again.metadata["transaction_id"]) == ("IDEMPOTENCY_KEY_REUSED", captured.transaction_id)
    batch = await wire.call("BatchDeductCredits", deductions=[amount])
    assert batch.outcomes[0].refused.code == 3
    deducted = await deduct(wire, account_id, 5, idempotency_key="usage-2")
    fields = {"account_id": account_id, "hold_id": held, "amount_microcredits": 5 * CREDIT}
    other = await wire.error("CaptureHold", **fields, idempotency_key="usage-2")
    assert (other.reason, other.metadata["transaction_id"]) == ("IDEMPOTENCY_KEY_REUSED", deducted.transaction_id)
    changed = await wire.error("CaptureHold", **fields, idempotency_key="usage-1")
    assert (changed.reason, dict(changed.metadata)) == (
        "IDEMPOTENCY_KEY_REUSED",
        {"idempotency_key": "usage-1"},
    ), "its own method: another request, and nothing that counts as charged"
    assert (await capture(wire, account_id, held, 10, idempotency_key="usage-1")).replayed
    assert await sums(wire, account_id) == (85, 0, 0, 0)


async def test_no_account_has_endless_holds(wire, new_account, monkeypatch):
    monkeypatch.setattr("billing_service.domain.spending.holds.OPEN_HOLDS_MAX", 3)
    account_id = new_account()
    await grant(wire, account_id, 100)
    held = [await hold(wire, account_id, 1) for _ in range(3)]
    assert await refused(hold(wire, account_id, 1)) == ("RESOURCE_EXHAUSTED", "TOO_MANY_HOLDS")
    await release(wire, account_id, held[0])
    await hold(wire, account_id, 1)


async def test_one_hold_draws_on_so_many_lots_and_no_more(wire, new_account, monkeypatch):
    monkeypatch.setattr("billing_service.domain.spending.holds.LEGS_MAX", 2)
    account_id = new_account()
    for _ in range(3):
        await grant(wire, account_id, 10)
    assert await refused(hold(wire, account_id, 21)) == SHORT
    held = await hold(wire, account_id, 15)
    await extend(wire, account_id, held, 5)
    assert await refused(extend(wire, account_id, held, 1)) == SHORT
    assert await hold(wire, account_id, 10)


async def test_another_accounts_hold_is_none(wire, new_account):
    mine, other = new_account(), new_account()
    for account_id in (mine, other):
        await grant(wire, account_id, 10)
    held = await hold(wire, other, 10)
    missing = ("NOT_FOUND", "HOLD_NOT_FOUND")
    assert await refused(capture(wire, mine, held, 1)) == missing
    assert await refused(release(wire, mine, held)) == missing
    assert await refused(extend(wire, mine, held, 1)) == missing
    assert await wire.refusal("GetHold", account_id=mine, hold_id=held) == missing
    assert await sums(wire, other) == (0, 10, 0, 0)


async def test_a_history_shows_what_was_spent_and_holds_where_asked(wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 10)
    held = await hold(wire, account_id, 4)
    captured = await capture(wire, account_id, held, 3, final=False)
    await release(wire, account_id, held)
    lines = (await wire.call("ListTransactions", account_id=account_id)).transactions
    assert [line.amount_microcredits // CREDIT for line in lines] == [-3, 10]
    assert (lines[0].transaction_id, lines[0].source_id) == (captured.transaction_id, held)
    for kind, moved in ((TRANSACTION_KIND_HOLD, 4), (TRANSACTION_KIND_HOLD_RELEASE, -1)):
        (line,) = (await wire.call("ListTransactions", account_id=account_id, kind=kind)).transactions
        assert (line.source_id, line.amount_microcredits) == (held, 0)
        assert [draw.amount_microcredits // CREDIT for draw in line.draws] == [moved]


async def test_a_refusal_leaves_nothing_behind(stored, wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 10)
    held = await hold(wire, account_id, 5)
    before = await row_counts(stored)
    for call in (
        hold(wire, account_id, 6),
        capture(wire, account_id, held, 6),
        extend(wire, account_id, held, 6),
        extend(wire, account_id, held, ttl="86401s"),
        hold(wire, account_id, 1, ttl="0.5s"),
        hold(wire, account_id, 1, expiry_capture_microcredits=2 * CREDIT),
        hold(wire, account_id, 1, minimum_microcredits=1),
    ):
        await refused(call)
    assert await row_counts(stored) == before
    assert await figures(wire, account_id, held) == (OPEN, 5, 0, 0)


async def test_holds_are_listed_newest_first(wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 10)
    held = [await hold(wire, account_id, 1) for _ in range(5)]
    await release(wire, account_id, held[2])
    page = await wire.call("ListHolds", account_id=account_id, page_size=3)
    rest = await wire.call("ListHolds", account_id=account_id, page_size=3, page_token=page.next_page_token)
    assert [each.hold_id for each in [*page.holds, *rest.holds]] == held[::-1]
    assert rest.next_page_token == ""
    opened = await wire.call("ListHolds", account_id=account_id, open_only=True)
    assert [each.hold_id for each in opened.holds] == [each for each in held[::-1] if each != held[2]]
    assert EXPIRED not in {each.state for each in opened.holds}
