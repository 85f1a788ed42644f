"""Two calls with one key at once, of which Stripe refuses one: each is answered, nothing is lost, and the key keeps
what was done last."""

import asyncio

import pytest
from prepaid.billing.v1 import purchases_pb2, refunds_pb2

from billing_service.domain.refusals import Refusal
from billing_service.payments.ports.outcomes import ProviderRefused

ANOTHER = pytest.mark.parametrize("another", [False, True], ids=["the key is free", "the key was spent again"])


class TwoAnswers:
    """Stripe, when it refuses the first call once the second is on its way, and does what the second asks after
    that."""

    def __init__(self, ask):
        self._ask, self._calls = ask, 0
        self.second_is_there, self.second_may_go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, *asked, **named):
        self._calls += 1
        if self._calls == 1:
            await self.second_is_there.wait()
            raise ProviderRefused("charge_disputed", "no")
        if self._calls == 2:
            self.second_is_there.set()
            await self.second_may_go_on.wait()
        return await self._ask(*asked, **named)


async def done_after_it_was_refused(stripe, call, *, another):
    """What the call was answered that was not refused, and what the key says then. Which of the two asks Stripe first
    is chance."""
    [refused], [going_on] = await asyncio.wait(
        [asyncio.create_task(call()) for _ in range(2)], return_when=asyncio.FIRST_COMPLETED
    )
    with pytest.raises(Refusal, match="Stripe refused"):
        refused.result()
    begun = await call() if another else None
    stripe.second_may_go_on.set()
    made, kept = await going_on, await call()
    assert (made.replayed, kept.replayed) == (False, True)
    return made, kept, begun


@ANOTHER
async def test_a_refund_that_stripe_makes_after_it_refused_it(world, another):
    page = await world.open_page()
    await world.deliver(world.event("checkout.session.completed", page.session()))
    request = refunds_pb2.RefundRequest(purchase_id=page.purchase_id, amount_minor=100, idempotency_key="k")
    stripe = world.provider.create_refund = TwoAnswers(world.provider.create_refund)
    made, kept, begun = await done_after_it_was_refused(
        stripe, lambda: world.service.answer("refund", request), another=another
    )
    assert kept.refund == (begun or made).refund
    stands = await page.stands()
    assert [status for _, _, status in stands["refunds"]] == ["SUCCEEDED"] * (2 if another else 1)
    assert stands["available"] == (800 if another else 900)


@ANOTHER
async def test_a_page_that_stripe_opens_after_it_refused_it(world, another):
    request = purchases_pb2.CreatePurchaseRequest(account_id="a", package_code="starter", idempotency_key="k")
    stripe = world.provider.create_checkout = TwoAnswers(world.provider.create_checkout)
    made, kept, begun = await done_after_it_was_refused(
        stripe, lambda: world.service.answer("create_purchase", request), another=another
    )
    assert kept.purchase == (begun or made).purchase
    assert made.purchase.checkout_session_id, "its payment is known whoever pays it"
    assert made.purchase.status == purchases_pb2.PURCHASE_STATUS_FAILED
    assert not made.purchase.checkout_url, "nobody is sent to the page of a purchase that was refused"


async def test_a_refund_that_begins_as_the_payment_arrives_asks_for_that_payment(world):
    """What the call saw of its purchase first is older than what its transaction reads."""
    page, asked = await world.open_page(), []
    store, make = world.environment.store, world.provider.create_refund
    write = store.write

    async def after_the_payment(unit):
        store.write = write
        await world.deliver(world.event("checkout.session.completed", page.session()))
        return await write(unit)

    async def noted(**order):
        asked.append(order["payment_intent_id"])
        return await make(**order)

    store.write, world.provider.create_refund = after_the_payment, noted
    request = refunds_pb2.RefundRequest(purchase_id=page.purchase_id, amount_minor=100, idempotency_key="k")
    await world.service.answer("refund", request)
    assert asked == [page.payment_intent_id]
