"""Refunds of which Stripe has said nothing are counted once they waited too long, and named once."""

import pytest
from prepaid.billing.v1 import refunds_pb2

from billing_service.domain.deployment import MARK_FIELD, MarkKind
from billing_service.domain.refusals import Failure
from billing_service.jobs import overdue
from billing_service.jobs.overdue import KINDS, Overdue
from tests.support.doubles import DEPLOYMENT

PAID = "checkout.session.completed"
[UNSENT] = [kind for kind in KINDS if kind.loop == "unsent refunds"]


async def paid_page(world):
    page = await world.open_page()
    await world.deliver(world.event(PAID, page.session()))
    return page


def request(page, key="k"):
    return refunds_pb2.RefundRequest(purchase_id=page.purchase_id, amount_minor=100, idempotency_key=key)


async def begun(world, page, key="k"):
    """A refund whose call ended without a word of Stripe."""
    world.provider.unreachable_calls = 1
    with pytest.raises(Failure):
        await world.service.answer("refund", request(page, key))


async def refund_id(world, page):
    listed = await world.service.answer("list_refunds", refunds_pb2.ListRefundsRequest(account_id=page.account_id))
    (refund,) = listed.refunds
    return refund.refund_id


async def test_a_refund_that_nobody_repeats_is_seen_after_a_while(world, monkeypatch):
    job = Overdue(world.store, world.service.clock, UNSENT)
    waits, done, refused, told = [await paid_page(world) for _ in range(4)]
    await world.service.answer("refund", request(done))
    world.provider.stripe.refuses = True
    with pytest.raises(Exception, match="Stripe refused"):
        await world.service.answer("refund", request(refused))
    world.provider.stripe.refuses = False
    for page in (waits, told):
        await begun(world, page)
    unsent, other = [await refund_id(world, page) for page in (waits, told)]
    marked = {"refund_id": other, MARK_FIELD: DEPLOYMENT.mark(MarkKind.REFUND, other)}
    pending = told.refund(amount=100, status="pending", metadata=marked)
    assert await world.deliver(world.event("refund.created", pending)) == "PROCESSED"
    for seconds, waiting in ((600, 0), (1, 1), (86_400 * 40, 1)):
        world.service.clock.advance_s(seconds)
        await job.run()
        assert job.waiting == waiting, seconds
    [line] = [line for line in world.said if line["event"] == "refunds_not_confirmed_by_stripe"]
    assert (line["log_level"], line["count"], line["refunds"]) == ("error", 1, [unsent]), "once, not at every look"
    await world.service.answer("refund", request(waits))
    await job.run()
    assert job.waiting == 0
    monkeypatch.setattr(overdue, "COUNTED_MAX", 2)
    for key in ("a", "b", "c"):
        await begun(world, waits, key)
    world.service.clock.advance_s(601)
    await job.run()
    assert job.waiting == 2
