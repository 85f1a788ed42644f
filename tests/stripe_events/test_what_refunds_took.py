"""A refund's row says what it really took, also where Stripe had made it before the purchase had its credits."""

import pytest
from prepaid.billing.v1 import refunds_pb2, transactions_pb2

from billing_service.domain.refusals import Refusal
from tests.support.event_world import CREDITS

PAID = "checkout.session.completed"
CREDIT = 1_000_000


async def rows(world, page):
    """What each refund says, by Stripe's id: credits taken, debt, status."""
    listed = await world.service.answer("list_refunds", refunds_pb2.ListRefundsRequest(account_id=page.account_id))
    return {
        refund.stripe_refund_id.rpartition("n")[2]: (
            refund.reversed_microcredits // CREDIT,
            refund.debt_microcredits // CREDIT,
            refunds_pb2.RefundStatus.Name(refund.status).removeprefix("REFUND_STATUS_"),
        )
        for refund in listed.refunds
    }


async def test_refunds_before_the_credits_say_what_they_took(world):
    page = await world.open_page()
    for number, amount, status in ((1, 300, "succeeded"), (2, 100, "failed"), (3, 150, "pending")):
        event = world.event("refund.created", page.refund(number, amount=amount, status=status))
        assert await world.deliver(event) == "IGNORED", "its payment is not known yet"
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    assert (await page.stands())["available"] == CREDITS - 450
    assert await rows(world, page) == {
        "1": (300, 0, "SUCCEEDED"),
        "2": (0, 0, "FAILED"),
        "3": (150, 0, "PENDING"),
    }


async def test_refunds_of_a_purchase_that_was_bound_before_it_completed(world):
    """The payment is known, and the money is not there: a refund is booked, and takes nothing yet."""
    page = await world.open_page()
    unpaid = page.session(payment_status="unpaid")
    assert await world.deliver(world.event(PAID, unpaid)) == "PROCESSED"
    await world.bind(page, page.payment_intent_id)
    for number, amount in ((1, 200), (2, 50)):
        assert await world.deliver(world.event("refund.created", page.refund(number, amount=amount))) == "PROCESSED"
    assert await rows(world, page) == {"1": (0, 0, "SUCCEEDED"), "2": (0, 0, "SUCCEEDED")}
    paid = world.event("checkout.session.async_payment_succeeded", page.session())
    assert await world.deliver(paid) == "PROCESSED"
    assert (await page.stands())["available"] == CREDITS - 250
    assert await rows(world, page) == {"1": (200, 0, "SUCCEEDED"), "2": (50, 0, "SUCCEEDED")}


async def test_what_paid_a_debt_at_once_is_owed_by_the_refunds(world):
    page = await world.open_page()
    owed = transactions_pb2.DeductCreditsRequest(
        account_id=page.account_id,
        amount_microcredits=900 * CREDIT,
        mode=transactions_pb2.DEDUCTION_MODE_ALLOW_DEBT,
        idempotency_key="d",
    )
    await world.service.answer("deduct_credits", owed)
    for number, amount in ((1, 60), (2, 200)):
        await world.deliver(world.event("refund.created", page.refund(number, amount=amount)))
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    assert await rows(world, page) == {"1": (60, 0, "SUCCEEDED"), "2": (200, 160, "SUCCEEDED")}
    stands = await page.stands()
    assert (stands["available"], stands["debt"]) == (0, 160)


async def test_a_refund_that_stripe_made_after_it_was_given_up_says_what_it_took(world):
    page = await world.open_page()
    await world.deliver(world.event(PAID, page.session()))
    asked, make = [], world.provider.stripe.create_refund

    def refused(**named):
        asked.append(named)
        world.provider.stripe.refuses = True
        return make(**named)

    world.provider.stripe.create_refund = refused
    request = refunds_pb2.RefundRequest(purchase_id=page.purchase_id, amount_minor=100, idempotency_key="k")
    with pytest.raises(Refusal):
        await world.service.answer("refund", request)
    assert await rows(world, page) == {"": (100, 0, "FAILED")}
    spent = transactions_pb2.DeductCreditsRequest(
        account_id=page.account_id, amount_microcredits=970 * CREDIT, idempotency_key="d"
    )
    await world.service.answer("deduct_credits", spent)
    [named] = asked
    about = {"refund_id": named["refund_id"], "purchase_id": page.purchase_id, "prepaid_billing_mark": named["mark"]}
    made = page.refund(9, amount=100, metadata=about)
    assert await world.deliver(world.event("refund.created", made)) == "PROCESSED"
    assert await rows(world, page) == {"9": (100, 70, "SUCCEEDED")}
