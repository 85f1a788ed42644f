"""A dispute over a real socket: what its events do to a balance, and what a caller and an operator read of it."""

import time

import pytest

from tests.end_to_end.money import deduct
from tests.end_to_end.test_two_deployments import stripe
from tests.support.stack import CREDIT

pytestmark = pytest.mark.asyncio(loop_scope="session")
INQUIRY, DISPUTED, WARNED = 1, 2, 3
NEEDS_RESPONSE, WON = 3, 5
DUE_S = 1_900_000_000


def dispute(bought, *moved, **changes):
    entries = [
        {"id": f"txn_{bought.purchase_id}{place}", "object": "balance_transaction", "amount": amount}
        for place, amount in enumerate(moved)
    ]
    about = {"id": f"dp_{bought.purchase_id}", "object": "dispute", "payment_intent": bought.payment_intent_id}
    told = {"amount": bought.paid_minor, "currency": "usd", "status": "needs_response", "reason": "fraudulent"}
    return about | told | {"balance_transactions": entries, "evidence_details": {"due_by": DUE_S}} | changes


async def told(wire, what, about, second=0):
    event = {
        "id": f"evt_{what}{about['id']}",
        "object": "event",
        "type": f"charge.dispute.{what}",
        "created": int(time.time()) + second,
        "livemode": False,
        "data": {"object": about},
    }
    return await wire.deliver(event)


async def shown(wire, account_id):
    balance = (await wire.call("GetBalance", account_id=account_id)).balance
    return balance.available_microcredits // CREDIT, balance.debt_microcredits // CREDIT


async def test_credits_follow_a_dispute(stack, wire, new_account):
    account_id = new_account()
    bought = await stack.buy(account_id)
    await deduct(wire, account_id, 300)
    assert await told(wire, "created", dispute(bought)) == "PROCESSED"
    assert await shown(wire, account_id) == (700, 0)
    assert await told(wire, "funds_withdrawn", dispute(bought, -1_000)) == "PROCESSED"
    assert await shown(wire, account_id) == (0, 300)
    read = await wire.call("GetPurchase", purchase_id=bought.purchase_id)
    assert (read.purchase.disputed_minor, list(read.purchase.flags)) == (1_000, [DISPUTED])
    (one,) = read.disputes
    assert (one.dispute_id, one.amount_minor, one.out_minor) == (f"dp_{bought.purchase_id}", 1_000, 1_000)
    assert (one.status, one.reason, one.due_time.seconds) == (NEEDS_RESPONSE, "fraudulent", DUE_S)
    refused = await wire.refusal("Refund", purchase_id=bought.purchase_id, amount_minor=1, idempotency_key="r")
    assert refused == ("FAILED_PRECONDITION", "PURCHASE_NOT_REFUNDABLE")
    assert await told(wire, "funds_reinstated", dispute(bought, -1_000, 1_000, status="won"), 5) == "PROCESSED"
    assert await shown(wire, account_id) == (700, 0)
    read = await wire.call("GetPurchase", purchase_id=bought.purchase_id)
    assert (read.purchase.disputed_minor, list(read.purchase.flags), read.disputes[0].status) == (0, [], WON)


async def test_a_dispute_of_a_purchase_that_earned_bonuses_takes_both(stack, wire, new_account):
    referrer, friend = new_account(), new_account()
    code = (await wire.do("CreateAccount", account_id=referrer)).account.referral_code
    await wire.do("ApplyReferral", account_id=friend, referral_code=code)
    bought = await stack.buy(friend)
    before = await shown(wire, referrer), await shown(wire, friend)
    assert before[0][0] > 0
    assert await told(wire, "funds_withdrawn", dispute(bought, -1_000)) == "PROCESSED"
    assert (await shown(wire, referrer), await shown(wire, friend)) == ((0, 0), (0, 0))
    assert await told(wire, "funds_reinstated", dispute(bought, -1_000, 1_000, status="won"), 5) == "PROCESSED"
    assert (await shown(wire, referrer), await shown(wire, friend)) == before


async def test_a_list_shows_what_is_disputed(stack, wire, new_account):
    account_id = new_account()
    bought = await stack.buy(account_id)
    await told(wire, "created", dispute(bought, status="warning_needs_response"))
    (listed,) = (await wire.call("ListPurchases", account_id=account_id)).purchases
    assert (listed.disputed_minor, list(listed.flags)) == (0, [INQUIRY])


async def test_a_card_that_disputes_and_evidence_that_wins(stack, wire, new_account):
    """Through the stand-in for Stripe and the gateway."""
    account_id = new_account()
    made = (await wire.do("CreatePurchase", account_id=account_id, package_code="starter")).purchase
    await stack.pay(made.checkout_url, "4000000000000259")
    await stack.webhooks()
    assert await shown(wire, account_id) == (0, 0)
    read = await wire.call("GetPurchase", purchase_id=made.purchase_id)
    assert (read.purchase.disputed_minor, list(read.purchase.flags)) == (1_000, [DISPUTED])
    (one,) = read.disputes
    evidence = {"evidence[uncategorized_text]": "winning_evidence"}
    await stripe(stack, "POST", f"disputes/{one.dispute_id}", **evidence)
    await stack.webhooks()
    assert await shown(wire, account_id) == (1_000, 0)
    read = await wire.call("GetPurchase", purchase_id=made.purchase_id)
    assert (read.purchase.disputed_minor, read.disputes[0].status) == (0, WON)


async def test_a_card_that_is_warned_of(stack, wire, new_account):
    account_id = new_account()
    made = (await wire.do("CreatePurchase", account_id=account_id, package_code="starter")).purchase
    await stack.pay(made.checkout_url, "4000000000005423")
    await stack.webhooks()
    read = await wire.call("GetPurchase", purchase_id=made.purchase_id)
    assert list(read.purchase.flags) == [WARNED]
    assert await shown(wire, account_id) == (1_000, 0)
