"""Which payment is a purchase's, the session says alone; payments say that money is there."""

import asyncio

import pytest

from billing_service.domain.sales.purchases import PurchaseStatus
from billing_service.jobs import overdue
from billing_service.jobs.overdue import KINDS, Overdue
from tests.support.bought_page import PRICE_MINOR
from tests.support.doubles import SECOND_US
from tests.support.event_world import CREDITS, NOW_S

PAID, SUCCEEDED = "checkout.session.completed", "payment_intent.succeeded"


async def noted_s(page):
    """When the payment succeeded, in seconds from now; None where nothing was noted."""
    told_us = (await page.stands())["purchase"]["payment_time_us"]
    return None if told_us is None else told_us // SECOND_US - NOW_S


@pytest.mark.parametrize(
    "about",
    [
        {"currency": "eur"},
        {"currency": None},
        {"amount": PRICE_MINOR - 1, "amount_received": PRICE_MINOR - 1},
        {"amount_received": 0},
        {"amount_received": None, "amount": None},
        {"amount_received": -1},
        {"amount_received": 2**63},
        {"livemode": True},
        {"id": None},
    ],
)
async def test_money_that_was_not_asked_for_is_alarmed_and_notes_nothing(world, about):
    page = await world.open_page()
    assert await world.deliver(world.event(SUCCEEDED, page.payment(**about))) == "QUARANTINED"
    assert await noted_s(page) is None
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    assert (await page.stands())["available"] == CREDITS


@pytest.mark.parametrize("metadata", [{"account_id": "somebody-else"}, {"purchase_id": "pur_of_another"}])
async def test_a_payment_that_names_something_else_is_alarmed(world, metadata):
    page = await world.open_page()
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    assert await world.deliver(world.event(SUCCEEDED, page.payment(metadata=page.metadata | metadata))) == "QUARANTINED"
    assert await noted_s(page) is None


@pytest.mark.parametrize(
    "about", [{"amount_received": PRICE_MINOR + 190}, {"latest_charge": None, "amount_received": None, "invoice": 7}]
)
async def test_the_moment_of_success_is_noted_once_and_nothing_is_bound(world, about):
    page = await world.open_page()
    for second in (-5, -9, -2):
        assert (
            await world.deliver(world.event(SUCCEEDED, page.payment(**about), created_s=NOW_S + second)) == "PROCESSED"
        )
    assert await noted_s(page) == -9
    purchase = (await page.stands())["purchase"]
    assert (purchase["status"], purchase["payment_intent_id"]) == (PurchaseStatus.PENDING, "")


async def test_a_success_without_a_time_is_noted_as_of_now(world):
    page = await world.open_page()
    assert await world.deliver(world.event(SUCCEEDED, page.payment(), created_s=None)) == "PROCESSED"
    assert await noted_s(page) == 0


async def test_a_second_payment_of_a_purchase_is_alarmed(world):
    page = await world.open_page()
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    assert await world.deliver(world.event(SUCCEEDED, page.payment())) == "PROCESSED"
    assert await world.deliver(world.event(SUCCEEDED, page.payment(id="pi_second"))) == "QUARANTINED"
    assert (await page.stands())["available"] == CREDITS


async def test_a_payment_of_another_purchase_is_alarmed(world):
    page, other = await world.open_page(), await world.open_page()
    assert await world.deliver(world.event(PAID, other.session())) == "PROCESSED"
    event = world.event(SUCCEEDED, page.payment(id=other.payment_intent_id))
    assert await world.deliver(event) == "QUARANTINED"
    assert await noted_s(page) is None


@pytest.mark.parametrize("shared", ["payment_intent", "id"])
async def test_two_purchases_that_claim_one_payment_or_page_at_once_end_apart(world, shared):
    """Whoever is first has it; the other is kept for a person, and is no defect."""
    for number in range(20):
        pages = [await world.open_page() for _ in range(2)]
        for page in pages:
            await world.forget_page(page)
        sessions = [page.session(**{shared: f"shared_{number}"}) for page in pages]
        told = await asyncio.gather(*(world.deliver(world.event(PAID, session)) for session in sessions))
        assert sorted(told) == ["PROCESSED", "QUARANTINED"]
        assert sorted([(await page.stands())["available"] for page in pages]) == [0, CREDITS]


@pytest.mark.parametrize("kind", ["payment_intent.payment_failed", "payment_intent.canceled"])
async def test_a_payment_that_did_not_succeed_says_nothing_that_a_rule_needs(world, kind):
    page = await world.open_page()
    for about in (page.payment(), page.payment(amount=-1, currency=7, id=None), page.payment(metadata=None)):
        assert await world.deliver(world.event(kind, about)) == "IGNORED"
    assert await noted_s(page) is None


@pytest.mark.parametrize("status", ["complete", None])
async def test_a_session_wins_over_the_payment_that_an_older_program_had_bound(world, status):
    """It bound any payment that bore the purchase's marks, also declined ones."""
    page = await world.open_page()
    await world.bind(page, "pi_declined")
    assert await world.deliver(world.event(PAID, page.session(status=status))) == "PROCESSED"
    stands = await page.stands()
    assert (stands["available"], stands["purchase"]["payment_intent_id"]) == (CREDITS, page.payment_intent_id)
    assert await world.deliver(world.event("refund.created", page.refund(payment_intent="pi_declined"))) == "IGNORED"
    assert await world.deliver(world.event("refund.created", page.refund())) == "PROCESSED"
    assert (await page.stands())["available"] == CREDITS - 300


async def test_money_without_credits_is_seen_after_a_while(world, monkeypatch):
    [kind] = [kind for kind in KINDS if kind.loop == "paid purchases"]
    job = Overdue(world.store, world.service.clock, kind)
    said = world.said
    paid, pending, completed = [await world.open_page() for _ in range(3)]
    for page in (paid, completed):
        assert await world.deliver(world.event(SUCCEEDED, page.payment())) == "PROCESSED"
    assert await world.deliver(world.event(PAID, completed.session())) == "PROCESSED"
    for seconds, waiting in ((0, 0), (600, 0), (1, 1), (86_400 * 40, 1)):
        world.service.clock.advance_s(seconds)
        await job.run()
        assert job.waiting == waiting, seconds
    [line] = [line for line in said if line["event"] == "purchases_paid_and_not_completed"]
    assert (line["log_level"], line["purchases"]) == ("error", [paid.purchase_id]), "once, not at every look"
    for page in (pending, paid):
        world.service.clock.now_us += SECOND_US
        assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    await job.run()
    assert job.waiting == 0
    monkeypatch.setattr(overdue, "COUNTED_MAX", 2)
    for _ in range(3):
        await world.deliver(world.event(SUCCEEDED, (await world.open_page()).payment()))
    world.service.clock.advance_s(601)
    await job.run()
    assert job.waiting == 2
