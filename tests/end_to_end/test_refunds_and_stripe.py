"""Refunds that Stripe settles later, refuses, or knows more of than we do."""

import json

import pytest
from prepaid.billing.v1.refunds_pb2 import REFUND_STATUS_FAILED as FAILED
from prepaid.billing.v1.refunds_pb2 import REFUND_STATUS_PENDING as PENDING
from prepaid.billing.v1.refunds_pb2 import REFUND_STATUS_SUCCEEDED as SUCCEEDED

from tests.end_to_end.refunding import balance
from tests.support.webhooks_withheld import PENDING_REFUND_CARD, webhooks_withheld
from tests.support.wire import key, told

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_frozen_while_stripe_is_at_it_and_back_when_it_fails(stack, wire, new_account):
    account_id = new_account()
    made = await wire.do("CreatePurchase", account_id=account_id, package_code="starter")
    await stack.pay(made.purchase.checkout_url, PENDING_REFUND_CARD)
    await stack.webhooks()
    begun = await wire.call("Refund", purchase_id=made.purchase.purchase_id, amount_minor=400, idempotency_key="r")
    assert begun.refund.status == PENDING
    assert await balance(wire, account_id) == (600, 400, 0)
    await stack.control(f"refunds/{begun.refund.stripe_refund_id}/settle", {"status": "failed"})
    await stack.webhooks()
    assert await balance(wire, account_id) == (1000, 0, 0)
    again = await wire.call("Refund", purchase_id=made.purchase.purchase_id, amount_minor=400, idempotency_key="r")
    assert (again.replayed, again.refund) == (True, begun.refund)
    sold = (await wire.call("GetPurchase", purchase_id=made.purchase.purchase_id)).purchase
    assert (sold.refunded_minor, sold.reversed_microcredits) == (0, 0)


async def test_a_card_whose_refund_fails_later(stack, wire, new_account):
    account_id = new_account()
    made = await wire.do("CreatePurchase", account_id=account_id, package_code="starter")
    await stack.pay(made.purchase.checkout_url, "4000000000005126")
    await stack.webhooks()
    done = await wire.do("Refund", purchase_id=made.purchase.purchase_id)
    assert done.refund.status == SUCCEEDED
    assert await balance(wire, account_id) == (0, 0, 0)
    await stack.control(f"refunds/{done.refund.stripe_refund_id}/settle", {"status": "failed"})
    await stack.webhooks()
    assert await balance(wire, account_id) == (1000, 0, 0)
    assert (await wire.call("QuoteRefund", purchase_id=made.purchase.purchase_id)).refundable_minor == 1000


async def test_ours_and_the_dashboards_together(stack, wire, new_account):
    account_id = new_account()
    bought = await stack.buy(account_id)
    await wire.do("Refund", purchase_id=bought.purchase_id, amount_minor=300)
    answer = await stack.http.post(
        f"{stack.sandbox_url}/v1/refunds",
        data={"payment_intent": bought.payment_intent_id, "amount": 200},
        headers={"Authorization": "Bearer sk_" + "test_x1"},
    )
    assert answer.status_code == 200
    await stack.webhooks()
    assert await balance(wire, account_id) == (500, 0, 0)
    assert (await wire.call("QuoteRefund", purchase_id=bought.purchase_id)).refundable_minor == 500
    refused = await wire.error("Refund", purchase_id=bought.purchase_id, amount_minor=501, idempotency_key=key())
    assert refused.metadata == {"field": "amount_minor"}
    await wire.do("Refund", purchase_id=bought.purchase_id)
    await stack.webhooks()
    assert await balance(wire, account_id) == (0, 0, 0)


async def test_stripe_refuses_and_nothing_has_changed(database, new_account):
    """The Dashboard refunded everything and its events are still on their way: Stripe knows, we don't."""
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id, card="4242424242424242")
        for event in await withheld.events("payment_intent.succeeded", "checkout.session.completed"):
            await withheld.wire.deliver(event)
        await withheld.stripe("POST", "refunds", payment_intent=await withheld.payment_intent(purchase))
        before = (await withheld.wire.call("GetBalance", account_id=account_id)).balance
        refused = await withheld.wire.error("Refund", purchase_id=purchase.purchase_id, idempotency_key="r")
        assert told(refused) == ("FAILED_PRECONDITION", "STRIPE_REFUSED")
        assert refused.metadata == {"stripe_code": "charge_already_refunded"}
        after = (await withheld.wire.call("GetBalance", account_id=account_id)).balance
        after.account_version = before.account_version
        after.as_of_time.CopyFrom(before.as_of_time)
        assert after == before
        for event in await withheld.events("refund.created", "charge.refunded"):
            assert await withheld.wire.deliver(event) == "PROCESSED"
        assert await balance(withheld.wire, account_id) == (100, 0, 0)
        assert await withheld.wire.refusal("Refund", purchase_id=purchase.purchase_id, idempotency_key="r") == (
            "FAILED_PRECONDITION",
            "PURCHASE_NOT_REFUNDABLE",
        )


async def test_a_refund_that_we_gave_up_and_stripe_names_after_all_counts(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id, card="4242424242424242")
        for event in await withheld.events("payment_intent.succeeded", "checkout.session.completed"):
            await withheld.wire.deliver(event)
        await withheld.stripe("POST", "refunds", payment_intent=await withheld.payment_intent(purchase))
        await withheld.wire.refusal("Refund", purchase_id=purchase.purchase_id, idempotency_key="r")
        records = (await withheld.wire.call("ListAuditRecords", account_id=account_id)).records
        given_up = next(json.loads(record.detail)["refund_id"] for record in records if record.method == "Refund")
        [made] = await withheld.events("refund.created")
        made["data"]["object"]["metadata"] = {"refund_id": given_up}
        assert await withheld.wire.deliver(made) == "PROCESSED"
        assert await withheld.ends(account_id, purchase) == {
            "status": 3,
            "available": 100,
            "frozen": 0,
            "debt": 0,
            "statement": 100,
            "refunded": 1000,
            "reversed": 1000,
            "paid": 1000,
        }


async def test_a_failure_that_came_before_the_answer_is_not_forgotten(database, new_account):
    """The refund was made, its answer was lost, and it failed at the bank before the caller asked again."""
    async with webhooks_withheld(database.url, STRIPE_TIMEOUT_S="0.4") as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id)
        for event in await withheld.events("payment_intent.succeeded", "checkout.session.completed"):
            await withheld.wire.deliver(event)
        for fault in ({"when": "after", "count": 1}, {"when": "before", "count": 9}):
            await withheld.stack.control(
                "faults", {"kind": "drop", "method": "POST", "path_prefix": "/v1/refunds"} | fault
            )
        lost = await withheld.wire.refusal("Refund", purchase_id=purchase.purchase_id, idempotency_key="r")
        assert lost == ("UNAVAILABLE", "STRIPE_UNAVAILABLE")
        assert await balance(withheld.wire, account_id) == (100, 1000, 0)
        await withheld.stack.http.delete(f"{withheld.stack.sandbox_url}/_sandbox/faults")
        [made] = (await withheld.stripe("GET", "refunds", payment_intent=await withheld.payment_intent(purchase)))[
            "data"
        ]
        await withheld.stack.control(f"refunds/{made['id']}/settle", {"status": "failed"})
        for event in await withheld.events("refund.created", "charge.refunded", "refund.updated", "refund.failed"):
            await withheld.wire.deliver(event)
        assert await balance(withheld.wire, account_id) == (1100, 0, 0)
        resumed = await withheld.wire.call("Refund", purchase_id=purchase.purchase_id, idempotency_key="r")
        assert resumed.refund.status == FAILED
        assert await balance(withheld.wire, account_id) == (1100, 0, 0)
        assert (
            len(
                (await withheld.stripe("GET", "refunds", payment_intent=await withheld.payment_intent(purchase)))[
                    "data"
                ]
            )
            == 1
        )
