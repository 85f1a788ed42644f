"""Refunds as callers ask for them: what is refundable, what is taken, what is frozen, what is refused."""

import pytest
from prepaid.billing.v1.refunds_pb2 import REFUND_STATUS_SUCCEEDED as SUCCEEDED
from prepaid.billing.v1.transactions_pb2 import TransactionKind

from tests.end_to_end.refunding import WITH_DEBT, balance, refunds_at_stripe, spend
from tests.support.stack import CREDIT
from tests.support.wire import key, outcomes, told

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    ("spent", "asked", "policy", "refundable"),
    [
        (1000, None, 1, 0),
        (1000, 1, 1, 0),
        (999, 2, 1, 1),
        (300, 701, 1, 700),
        (300, 1000, 1, 700),
    ],
)
async def test_more_than_is_refundable_is_refused_with_what_would_be(
    *, stack, wire, new_account, spent, asked, policy, refundable
):
    account_id = new_account()
    bought = await stack.buy(account_id)
    if spent:
        await spend(wire, account_id, spent)
    wanted = {} if asked is None else {"amount_minor": asked}
    if wanted:
        quoted = await wire.error("QuoteRefund", purchase_id=bought.purchase_id, policy=policy, **wanted)
        assert (told(quoted)[1], quoted.metadata) == ("CREDITS_ALREADY_SPENT", {"refundable_minor": str(refundable)})
    before = (await wire.call("GetBalance", account_id=account_id)).balance
    refused = await wire.error(
        "Refund", purchase_id=bought.purchase_id, policy=policy, idempotency_key="again", **wanted
    )
    assert told(refused) == ("FAILED_PRECONDITION", "CREDITS_ALREADY_SPENT")
    assert refused.metadata == {"refundable_minor": str(refundable)}
    after = (await wire.call("GetBalance", account_id=account_id)).balance
    after.as_of_time.CopyFrom(before.as_of_time)
    assert after == before
    assert await refunds_at_stripe(stack, bought.payment_intent_id) == []
    if refundable:
        kept = await wire.call(
            "Refund", purchase_id=bought.purchase_id, policy=policy, amount_minor=refundable, idempotency_key="again"
        )  # a refusal spends no key
        assert (kept.refund.amount_minor, kept.replayed) == (refundable, False)


@pytest.mark.parametrize(
    ("spent", "returned", "asked", "policy"),
    [(0, 0, 1001, 1), (0, 0, 10**15, WITH_DEBT), (300, 0, 1001, 1), (1000, 0, 1001, 1), (0, 400, 601, 1)],
)
async def test_more_than_was_paid_and_is_not_back_is_a_wrong_amount(
    *, stack, wire, new_account, spent, returned, asked, policy
):
    """Whatever was spent: no credits that come back would make it right."""
    account_id = new_account()
    bought = await stack.buy(account_id)
    if spent:
        await spend(wire, account_id, spent)
    if returned:
        await wire.do("Refund", purchase_id=bought.purchase_id, amount_minor=returned)
    before = await balance(wire, account_id)
    wanted = {"purchase_id": bought.purchase_id, "policy": policy, "amount_minor": asked}
    for rpc, fields in (("QuoteRefund", {}), ("Refund", {"idempotency_key": "again"})):
        refused = await wire.error(rpc, **wanted, **fields)
        assert told(refused) == ("INVALID_ARGUMENT", "INVALID_FIELD"), rpc
        assert refused.metadata == {"field": "amount_minor"}
        assert str(1000 - returned) in refused.message
    assert await balance(wire, account_id) == before
    assert await wire.call("Refund", **wanted | {"amount_minor": 1, "policy": WITH_DEBT, "idempotency_key": "again"})


@pytest.mark.parametrize(
    ("spent", "asked", "policy", "taken", "debt"),
    [(0, 1, 1, 1, 0), (0, 1000, 1, 1000, 0), (300, 700, 1, 700, 0), (300, 1000, WITH_DEBT, 1000, 300)],
)
async def test_a_part_is_quoted_as_it_is_refunded(*, stack, wire, new_account, spent, asked, policy, taken, debt):
    account_id = new_account()
    bought = await stack.buy(account_id)
    if spent:
        await spend(wire, account_id, spent)
    wanted = {"purchase_id": bought.purchase_id, "policy": policy, "amount_minor": asked}
    quote = await wire.call("QuoteRefund", **wanted)
    assert (quote.refundable_minor, quote.reversed_microcredits, quote.debt_microcredits) == (
        asked,
        taken * CREDIT,
        debt * CREDIT,
    )
    refund = (await wire.do("Refund", **wanted)).refund
    assert (refund.amount_minor, refund.reversed_microcredits, refund.debt_microcredits) == (
        asked,
        quote.reversed_microcredits,
        quote.debt_microcredits,
    )


async def test_what_went_back_in_full_is_not_refundable_again(stack, wire, new_account):
    bought = await stack.buy(new_account())
    await wire.do("Refund", purchase_id=bought.purchase_id)
    for rpc, fields in (("Refund", {"idempotency_key": key()}), ("QuoteRefund", {})):
        refused = await wire.error(rpc, purchase_id=bought.purchase_id, **fields)
        assert told(refused) == ("FAILED_PRECONDITION", "PURCHASE_NOT_REFUNDABLE")


async def test_unused_credits_go_back_and_the_statement_says_so(stack, wire, new_account):
    account_id = new_account()
    bought = await stack.buy(account_id)
    await spend(wire, account_id, 300)
    quote = await wire.call("QuoteRefund", purchase_id=bought.purchase_id)
    assert (quote.refundable_minor, quote.currency, quote.reversed_microcredits, quote.debt_microcredits) == (
        700,
        "usd",
        700 * CREDIT,
        0,
    )
    done = await wire.do("Refund", purchase_id=bought.purchase_id, reason="Not needed")
    assert (done.refund.amount_minor, done.refund.status, done.refund.reversed_microcredits) == (
        700,
        SUCCEEDED,
        700 * CREDIT,
    )
    assert done.refund.reason == "Not needed"
    assert done.refund.stripe_refund_id.startswith("re_")
    await stack.webhooks()
    assert await balance(wire, account_id) == (0, 0, 0)
    rows = (await wire.call("ListTransactions", account_id=account_id)).transactions
    kinds = [TransactionKind.Name(row.kind).removeprefix("TRANSACTION_KIND_") for row in rows]
    assert kinds == ["REFUND_SETTLEMENT", "PURCHASE_REVERSAL", "DEDUCTION", "PURCHASE"]
    assert [row.amount_microcredits // CREDIT for row in rows] == [0, -700, -300, 1000]
    sold = (await wire.call("GetPurchase", purchase_id=bought.purchase_id)).purchase
    assert (sold.refunded_minor, sold.reversed_microcredits) == (700, 700 * CREDIT)


async def test_parts_add_up_to_the_whole_to_the_last_microcredit(stack, wire, new_account):
    account_id = new_account()
    bought = await stack.buy(account_id, "pro")
    taken = []
    for amount in (1, 3, 333, 7, 7656):
        done = await wire.do("Refund", purchase_id=bought.purchase_id, amount_minor=amount)
        taken.append(done.refund.reversed_microcredits)
    assert taken[:2] == [1_250_000, 3_750_000]
    assert sum(taken) == 10_000 * CREDIT
    assert await balance(wire, account_id) == (0, 0, 0)


async def test_rounding_never_leaves_a_part_for_free(stack, wire, new_account):
    """45.00 for 5,000 credits: a cent is 1.1111… credits, taken rounded up, never more in all than was bought."""
    account_id = new_account()
    bought = await stack.buy(account_id, "standard")
    first = await wire.do("Refund", purchase_id=bought.purchase_id, amount_minor=1)
    second = await wire.do("Refund", purchase_id=bought.purchase_id, amount_minor=1)
    assert first.refund.reversed_microcredits == 1_111_112
    assert second.refund.reversed_microcredits == 1_111_111
    rest = await wire.do("Refund", purchase_id=bought.purchase_id)
    assert rest.refund.amount_minor == 4498
    assert await balance(wire, account_id) == (0, 0, 0)


async def test_a_refund_with_debt_is_settled_by_what_comes_next(stack, wire, new_account):
    account_id = new_account()
    bought = await stack.buy(account_id)
    await spend(wire, account_id, 600)
    quote = await wire.call("QuoteRefund", purchase_id=bought.purchase_id, policy=WITH_DEBT)
    assert (quote.refundable_minor, quote.reversed_microcredits, quote.debt_microcredits) == (
        1000,
        1000 * CREDIT,
        600 * CREDIT,
    )
    done = await wire.do("Refund", purchase_id=bought.purchase_id, policy=WITH_DEBT)
    assert (done.refund.reversed_microcredits, done.refund.debt_microcredits) == (1000 * CREDIT, 600 * CREDIT)
    assert await balance(wire, account_id) == (0, 0, 600)
    refused = await wire.error("DeductCredits", account_id=account_id, amount_microcredits=1, idempotency_key=key())
    assert told(refused) == ("FAILED_PRECONDITION", "INSUFFICIENT_CREDITS")
    await wire.do("GrantCredits", account_id=account_id, amount_microcredits=200 * CREDIT, reason="gift")
    assert await balance(wire, account_id) == (0, 0, 400)
    await stack.buy(account_id)
    assert await balance(wire, account_id) == (600, 0, 0)


@pytest.mark.parametrize(("callers", "asked", "accepted"), [(24, 125, 8), (20, 150, 6)])
async def test_refunds_at_once_never_pass_what_was_paid(*, stack, wire, new_account, callers, asked, accepted):
    """Three times the purchase is asked for. What was paid goes back to the cent, and what one more part would pass it
    by does not."""
    account_id = new_account()
    bought = await stack.buy(account_id)
    calls = (wire.do("Refund", purchase_id=bought.purchase_id, amount_minor=asked) for _ in range(callers))
    ended = await outcomes(*calls)
    done = [end.refund.amount_minor for end in ended if not isinstance(end, Exception)]
    assert done == [asked] * accepted
    assert {told(end)[1] for end in ended if isinstance(end, Exception)} <= {
        "INVALID_FIELD",
        "PURCHASE_NOT_REFUNDABLE",
    }
    rest = bought.paid_minor - sum(done)
    assert await balance(wire, account_id) == (rest, 0, 0)
    if rest:
        assert (await wire.do("Refund", purchase_id=bought.purchase_id)).refund.amount_minor == rest
    await stack.webhooks()
    at_stripe = await refunds_at_stripe(stack, bought.payment_intent_id)
    assert sum(amount for amount, _ in at_stripe) == bought.paid_minor
    assert {status for _, status in at_stripe} == {"succeeded"}
    assert await balance(wire, account_id) == (0, 0, 0)


async def test_one_key_twenty_callers_one_refund(stack, wire, new_account):
    account_id = new_account()
    bought = await stack.buy(account_id)
    calls = (
        wire.call("Refund", purchase_id=bought.purchase_id, amount_minor=100, idempotency_key="one") for _ in range(20)
    )
    ended = await outcomes(*calls)
    assert {end.refund.refund_id for end in ended if not isinstance(end, Exception)} != set()
    assert {told(end) for end in ended if isinstance(end, Exception)} <= {("UNAVAILABLE", "STRIPE_UNAVAILABLE")}
    await stack.webhooks()
    assert await refunds_at_stripe(stack, bought.payment_intent_id) == [(100, "succeeded")]
    assert await balance(wire, account_id) == (900, 0, 0)
