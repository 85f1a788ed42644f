"""CancelPurchase that learns from Stripe what no event has told yet: the purchase follows, and its credits come
once."""

from dataclasses import replace

import pytest
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_AWAITING_FUNDS as AWAITING_FUNDS
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_CANCELED as CANCELED
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_COMPLETED as COMPLETED
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_EXPIRED as EXPIRED
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_PENDING as PENDING

from billing_service.domain.refusals import storage_unavailable
from tests.support.stack import CREDIT
from tests.support.webhooks_withheld import webhooks_withheld
from tests.support.wire import key, outcomes, row_counts, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOO_LATE = ("FAILED_PRECONDITION", "PURCHASE_NOT_CANCELABLE")
AWAY = ("UNAVAILABLE", "STORAGE_UNAVAILABLE")
SESSION = "checkout.session.completed"
PAID = ("payment_intent.succeeded", SESSION)
REFUNDED = ("charge.refunded", "refund.created")


async def canceled_in_vain(withheld, purchase, idempotency_key="k"):
    """Calls it off; answers the status that the refusal names."""
    error = await withheld.wire.error(
        "CancelPurchase", purchase_id=purchase.purchase_id, idempotency_key=idempotency_key
    )
    assert told(error) == TOO_LATE
    return error.metadata["status"]


async def test_a_purchase_that_was_paid_is_completed(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id, granted=0)
        assert await canceled_in_vain(withheld, purchase) == "COMPLETED"
        end = await withheld.ends(account_id, purchase)
        assert (end["status"], end["available"], end["paid"]) == (COMPLETED, 1000, 1000)
        assert (
            await withheld.wire.call("GetPurchase", purchase_id=purchase.purchase_id)
        ).purchase.payment_intent_id.startswith("pi_")
        before = await row_counts(database)
        assert await canceled_in_vain(withheld, purchase) == "COMPLETED"
        for event in await withheld.events(*PAID):
            assert await withheld.wire.deliver(event) == "PROCESSED"
        assert await withheld.ends(account_id, purchase) == end
        assert await row_counts(database) == before | {"stripe_events": before["stripe_events"] + 2}


async def test_its_key_stays_free_and_its_credits_come_once_whoever_is_first(database, new_account):
    """Ten callers call it off while both events arrive, each ten times."""
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id, granted=0)
        events = await withheld.events(*PAID)
        calls = [
            withheld.wire.attempt("CancelPurchase", purchase_id=purchase.purchase_id, idempotency_key=key())
            for _ in range(10)
        ]
        calls += [withheld.wire.deliver_until_taken(event) for event in events for _ in range(10)]
        answers = await outcomes(*calls)
        assert {told(error) for error in answers[:10]} == {TOO_LATE}
        assert sorted(answers[10:]) == ["DUPLICATE"] * 18 + ["PROCESSED"] * 2
        end = await withheld.ends(account_id, purchase)
        assert (end["status"], end["available"], end["statement"]) == (COMPLETED, 1000, 1000)
        assert (await row_counts(database))["idempotency_keys"] == 1


async def test_what_waited_for_its_payment_is_picked_up(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id, granted=0)
        refund = await withheld.stripe(
            "POST", "refunds", payment_intent=await withheld.payment_intent(purchase), amount=400
        )
        await withheld.stack.control(f"refunds/{refund['id']}/settle", {"status": "succeeded"})
        for event in await withheld.events(*REFUNDED):
            assert await withheld.wire.deliver(event) == "IGNORED"
        assert await canceled_in_vain(withheld, purchase) == "COMPLETED"
        end = await withheld.ends(account_id, purchase)
        assert (end["available"], end["refunded"], end["reversed"]) == (600, 400, 400)
        assert not (await withheld.wire.call("ListStripeEvents", status=2)).events


async def test_a_purchase_whose_page_ran_out_expires(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        made = (await withheld.wire.do("CreatePurchase", account_id=account_id, package_code="starter")).purchase
        await withheld.stack.control(f"sessions/{made.checkout_session_id}/expire")
        assert await canceled_in_vain(withheld, made) == "EXPIRED"
        assert (await withheld.wire.call("GetPurchase", purchase_id=made.purchase_id)).purchase.status == EXPIRED
        [event] = await withheld.events("checkout.session.expired")
        assert await withheld.wire.deliver(event) == "PROCESSED"
        assert await canceled_in_vain(withheld, made) == "EXPIRED"


async def test_a_purchase_whose_money_is_promised_waits_for_it(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id, granted=0, method="debit")
        assert await canceled_in_vain(withheld, purchase) == "AWAITING_FUNDS"
        assert (await withheld.ends(account_id, purchase))["status"] == AWAITING_FUNDS
        await withheld.stack.control(
            f"payments/{await withheld.payment_intent(purchase)}/settle", {"outcome": "succeeded"}
        )
        for event in await withheld.events("checkout.session.async_payment_succeeded"):
            assert await withheld.wire.deliver(event) == "PROCESSED"
        assert (await withheld.ends(account_id, purchase))["available"] == 1000


async def test_a_payment_that_was_not_asked_for_completes_nothing(database, new_account):
    """The page says another account than the purchase's: nobody gets credits, and nobody may call it off."""
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id, granted=0)
        stands = withheld.stack.service.environment.checkouts.get_checkout

        async def changed(session_id):
            return replace(await stands(session_id), account_id="somebody-else")

        withheld.stack.service.environment.checkouts.get_checkout = changed
        assert await canceled_in_vain(withheld, purchase) == "PENDING"
        end = await withheld.ends(account_id, purchase)
        assert (end["status"], end["available"], end["statement"]) == (PENDING, 0, 0)


async def test_credits_that_no_account_can_hold_come_later(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        for _ in range(9):
            await withheld.wire.do("GrantCredits", account_id=account_id, amount_microcredits=10**15, reason="a lot")
        purchase = await withheld.paid_checkout(account_id, granted=0)
        assert await canceled_in_vain(withheld, purchase) == "PENDING"
        await withheld.wire.do("DeductCredits", account_id=account_id, amount_microcredits=10**15)
        assert await canceled_in_vain(withheld, purchase) == "COMPLETED"
        shown = (await withheld.wire.call("GetBalance", account_id=account_id)).balance
        assert shown.available_microcredits == 8 * 10**15 + 1000 * CREDIT


async def test_a_repeat_whose_page_its_first_call_closed_cancels(database, new_account, monkeypatch):
    """The first call closed the page and could not say so; Stripe's event comes before the repeat."""
    async with webhooks_withheld(database.url) as withheld:
        store = withheld.stack.service.environment.store
        made = (await withheld.wire.do("CreatePurchase", account_id=new_account(), package_code="starter")).purchase
        fields = {"purchase_id": made.purchase_id, "idempotency_key": "k"}
        with monkeypatch.context() as broken:

            async def away(work):
                del work
                raise storage_unavailable()

            broken.setattr(store, "write", away)
            assert await withheld.wire.refusal("CancelPurchase", **fields) == AWAY
        [event] = await withheld.events("checkout.session.expired")
        assert await withheld.wire.deliver(event) == "PROCESSED"
        assert (await withheld.wire.call("GetPurchase", purchase_id=made.purchase_id)).purchase.status == EXPIRED
        assert await canceled_in_vain(withheld, made, "another") == "EXPIRED"
        for _ in range(2):
            assert (await withheld.wire.call("CancelPurchase", **fields)).purchase.status == CANCELED
        assert await canceled_in_vain(withheld, made, "another") == "CANCELED"


async def test_an_open_page_is_closed_and_a_repeat_says_so_again(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        made = (await withheld.wire.do("CreatePurchase", account_id=new_account(), package_code="starter")).purchase
        for _ in range(2):
            answer = await withheld.wire.call("CancelPurchase", purchase_id=made.purchase_id, idempotency_key="k")
            assert answer.purchase.status == CANCELED
        assert await canceled_in_vain(withheld, made, "another") == "CANCELED"
