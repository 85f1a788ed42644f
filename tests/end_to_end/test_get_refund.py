"""Refunds as operators and callers look them up: by either id, by account, by purchase, each with the status that it
has now."""

import pytest
from prepaid.billing.v1.refunds_pb2 import REFUND_STATUS_FAILED as FAILED
from prepaid.billing.v1.refunds_pb2 import REFUND_STATUS_PENDING as PENDING
from prepaid.billing.v1.refunds_pb2 import REFUND_STATUS_SUCCEEDED as SUCCEEDED

from tests.support.stack import CREDIT
from tests.support.webhooks_withheld import PENDING_REFUND_CARD
from tests.support.wire import key, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

NO_REFUND = ("NOT_FOUND", "REFUND_NOT_FOUND")
NO_PURCHASE = ("NOT_FOUND", "PURCHASE_NOT_FOUND")


async def bought_with(stack, wire, account_id, card):
    """A completed purchase paid with this card."""
    made = (await wire.do("CreatePurchase", account_id=account_id, package_code="starter")).purchase
    await stack.pay(made.checkout_url, card)
    await stack.webhooks()
    return made.purchase_id


async def refund(wire, purchase_id, amount):
    return (await wire.do("Refund", purchase_id=purchase_id, amount_minor=amount)).refund


async def listed(wire, account_id, **filters):
    return list((await wire.call("ListRefunds", account_id=account_id, **filters)).refunds)


async def test_a_refund_is_no_purchase_and_a_purchase_no_refund(stack, wire, new_account):
    """Above all: who asks to refund a refund has mistaken the id, and no more money goes back."""
    account_id = new_account()
    bought = await stack.buy(account_id)
    made = await refund(wire, bought.purchase_id, 100)
    for refund_id in (made.refund_id, made.stripe_refund_id):
        assert await wire.refusal("GetPurchase", purchase_id=refund_id) == NO_PURCHASE
        assert await wire.refusal("QuoteRefund", purchase_id=refund_id) == NO_PURCHASE
        assert await wire.refusal("Refund", purchase_id=refund_id, idempotency_key=key()) == NO_PURCHASE
        assert await wire.refusal("CancelPurchase", purchase_id=refund_id, idempotency_key=key()) == NO_PURCHASE
        assert await wire.refusal("ListRefunds", account_id=account_id, purchase_id=refund_id) == NO_PURCHASE
    for other in (bought.purchase_id, bought.checkout_session_id, bought.payment_intent_id, "ref_none", "re_none"):
        refused = await wire.error("GetRefund", refund_id=other)
        assert (told(refused), refused.metadata) == (NO_REFUND, {"id": other})
    assert [each.amount_minor for each in await listed(wire, account_id)] == [100]


async def test_another_accounts_purchase_shows_no_refunds(stack, wire, new_account):
    account_id, other = new_account(), new_account()
    bought = await stack.buy(account_id)
    await refund(wire, bought.purchase_id, 100)
    await wire.do("CreateAccount", account_id=other)
    assert await wire.refusal("ListRefunds", account_id=other, purchase_id=bought.purchase_id) == NO_PURCHASE
    assert await listed(wire, other) == []


async def test_a_refund_is_found_by_both_its_ids(stack, wire, new_account):
    account_id = new_account()
    bought = await stack.buy(account_id)
    first, second = await refund(wire, bought.purchase_id, 100), await refund(wire, bought.purchase_id, 250)
    for made in (first, second):
        assert made.account_id == account_id
        for refund_id in (made.refund_id, made.stripe_refund_id):
            assert (await wire.call("GetRefund", refund_id=refund_id)).refund == made


async def test_a_refund_begun_at_stripe_is_found_and_listed(stack, wire, new_account):
    account_id = new_account()
    bought = await stack.buy(account_id)
    answer = await stack.http.post(
        f"{stack.sandbox_url}/v1/refunds",
        data={"payment_intent": bought.payment_intent_id, "amount": 200},
        headers={"Authorization": "Bearer sk_" + "test_x1"},
    )
    await stack.webhooks()
    found = (await wire.call("GetRefund", refund_id=answer.json()["id"])).refund
    assert (found.amount_minor, found.status, found.account_id) == (200, SUCCEEDED, account_id)
    assert found.refund_id.startswith("ref_")
    assert (await wire.call("GetRefund", refund_id=found.refund_id)).refund == found
    assert await listed(wire, account_id) == [found]


async def test_all_of_an_account_newest_first_page_by_page(stack, wire, new_account):
    account_id = new_account()
    bought = [await stack.buy(account_id) for _ in range(2)]
    made = [await refund(wire, bought[number % 2].purchase_id, 10 + number) for number in range(5)]
    made.reverse()
    assert await listed(wire, account_id) == made
    assert await listed(wire, account_id, purchase_id=bought[0].purchase_id) == made[0::2]
    assert [each async for each in stack.client.iter_refunds(account_id=account_id, page_size=2)] == made
    page = await wire.call("ListRefunds", account_id=account_id, page_size=2)
    assert list(page.refunds) == made[:2]
    for others in ({"purchase_id": bought[0].purchase_id}, {"account_id": new_account()}):
        fields = {"account_id": account_id, "page_size": 2, "page_token": page.next_page_token} | others
        assert await wire.refusal("ListRefunds", **fields) == ("INVALID_ARGUMENT", "INVALID_FIELD")


async def test_a_pending_refund_is_told_as_pending_until_stripe_settles_it(stack, wire, new_account):
    account_id = new_account()
    purchase_id = await bought_with(stack, wire, account_id, PENDING_REFUND_CARD)

    async def sold():
        one = (await wire.call("GetPurchase", purchase_id=purchase_id)).purchase
        (row,) = (await wire.call("ListPurchases", account_id=account_id)).purchases
        assert row == one
        return one.refunded_minor, one.refund_pending_minor

    first, second = await refund(wire, purchase_id, 400), await refund(wire, purchase_id, 150)
    assert [each.status for each in await listed(wire, account_id)] == [PENDING, PENDING]
    assert await sold() == (550, 550)
    await stack.control(f"refunds/{first.stripe_refund_id}/settle", {"status": "succeeded"})
    await stack.webhooks()
    assert await sold() == (550, 150)
    await stack.control(f"refunds/{second.stripe_refund_id}/settle", {"status": "failed"})
    await stack.webhooks()
    assert await sold() == (400, 0)
    assert [(each.refund_id, each.status) for each in await listed(wire, account_id, purchase_id=purchase_id)] == [
        (second.refund_id, FAILED),
        (first.refund_id, SUCCEEDED),
    ]
    assert (await wire.call("GetRefund", refund_id=first.refund_id)).refund.reversed_microcredits == 400 * CREDIT
