"""Refunds that were begun here, and of which Stripe has said nothing: sent once, or given back."""

import pytest
from prepaid.billing.v1 import refunds_pb2

from billing_service.domain.refusals import Failure
from billing_service.payments.ports.outcomes import ProviderUnavailable
from billing_service.reconcile.run import UNSENT_US
from tests.reconcile.running import paid_page, reconciled
from tests.support.doubles import SECOND_US
from tests.support.event_world import CREDITS


async def unsent(world, page, key="k"):
    request = refunds_pb2.RefundRequest(purchase_id=page.purchase_id, amount_minor=100, idempotency_key=key)
    world.provider.unreachable_calls = 1
    with pytest.raises(Failure):
        await world.service.answer("refund", request)
    return request


async def test_a_refund_that_never_went_out_is_sent_once(world, reconciler):
    page = await paid_page(world)
    request = await unsent(world, page)
    world.service.clock.advance_s(UNSENT_US // SECOND_US)
    assert await reconciled(reconciler) == [], "its own call may be under way"
    world.service.clock.advance_s(1)
    [dry] = await reconciled(reconciler, dry_run=True)
    assert (dry.kind.name, dry.outcome.name, dry.purchase_id) == ("REFUND_NOT_SENT", "FOUND", page.purchase_id)
    assert dry.stripe_object_id.startswith("ref_")
    assert world.provider.stripe.refunds == []
    [done] = await reconciled(reconciler)
    assert (done.outcome.name, done.stripe_object_id) == ("REPAIRED", dry.stripe_object_id)
    assert [sent.amount_minor for sent in world.provider.stripe.refunds] == [100]
    assert await reconciled(reconciler) == []
    answered = (await world.service.answer("refund", request)).refund
    assert (answered.refund_id, answered.status) == (done.stripe_object_id, refunds_pb2.REFUND_STATUS_SUCCEEDED)
    assert len(world.provider.stripe.refunds) == 1
    assert (await page.stands())["available"] == CREDITS - 100


async def test_a_refund_that_stripe_made_and_nobody_heard_of_is_not_made_again(world, reconciler, monkeypatch):
    page = await paid_page(world)
    create = world.provider.create_refund

    async def lost(**asked):
        await create(**asked)
        raise ProviderUnavailable("the answer was lost")

    monkeypatch.setattr(world.provider, "create_refund", lost)
    with pytest.raises(Failure):
        await world.service.answer(
            "refund", refunds_pb2.RefundRequest(purchase_id=page.purchase_id, amount_minor=100, idempotency_key="k")
        )
    world.service.clock.advance_s(86_400 * 2)
    [done] = await reconciled(reconciler)
    assert done.outcome.name == "REPAIRED"
    assert len(world.provider.stripe.refunds) == 1
    assert (await page.stands())["available"] == CREDITS - 100


async def test_a_refund_that_stripe_refuses_gives_its_credits_back_and_its_request_says_so(world, reconciler):
    page = await paid_page(world)
    request = await unsent(world, page)
    world.service.clock.advance_s(UNSENT_US // SECOND_US + 1)
    world.provider.stripe.refuses = True
    [done] = await reconciled(reconciler)
    assert (done.outcome.name, done.note) == ("REPAIRED", "Stripe refused it: charge_disputed")
    assert (await page.stands())["available"] == CREDITS
    world.provider.stripe.refuses = False
    answered = (await world.service.answer("refund", request)).refund
    assert answered.status == refunds_pb2.REFUND_STATUS_FAILED, "it is not sent behind the caller's back"
    assert world.provider.stripe.refunds == []
    assert (await page.stands())["available"] == CREDITS
