"""Events that came before their payment was known: each has its effect, or is kept for a person, and none holds up
another."""

from contextlib import suppress
from dataclasses import replace

import pytest
from prepaid.billing.v1 import refunds_pb2

from billing_service.domain.refusals import Failure, balance_limit_reached, storage_unavailable
from billing_service.domain.sales.purchases import PurchaseStatus
from billing_service.payments.ports.outcomes import ProviderKeyRefused, ProviderRefused, ProviderUnavailable
from billing_service.stripe_events.families import refund as refunds
from billing_service.stripe_events.registry import BY_TYPE
from tests.support.bought_page import PRICE_MINOR
from tests.support.event_world import CREDITS

PAID = "checkout.session.completed"


async def completed(page):
    return (await page.stands())["purchase"]["status"] is PurchaseStatus.COMPLETED


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"amount": -5}, "amount"),
        ({"amount": 10**15}, "amount"),
        ({"amount": None}, "amount"),
        ({"status": "on_its_way"}, "status"),
        ({"status": None}, "status"),
        ({"currency": "eur"}, "currency"),
        ({"currency": "???"}, "currency"),
        ({"id": None}, "id"),
    ],
)
async def test_an_unusable_refund_is_kept_for_a_person_once_its_payment_is_known(world, about, reason):
    page = await world.open_page()
    odd, good = (
        world.event("refund.created", page.refund(1, **about)),
        world.event("refund.created", page.refund(2, amount=100)),
    )
    for event in (odd, good):
        assert await world.deliver(event) == "IGNORED"
    assert await world.waiting() == {odd["id"], good["id"]}
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    assert await world.statuses(odd, good) == ["QUARANTINED", "PROCESSED"]
    assert reason in (await world.kept())[odd["id"]].error
    assert (await page.stands())["available"] == CREDITS - 100
    assert await world.waiting() == set()
    counted = world.environment.counters.events
    assert counted["refund.created", "QUARANTINED"] == 1, "it is alarmed, though nobody delivered it now"
    assert counted["refund.created", "IGNORED"] == 2


async def test_a_refund_of_nothing_is_nothing(world):
    page = await world.open_page()
    early, late = (
        world.event("refund.created", page.refund(1, amount=0)),
        world.event("refund.created", page.refund(2, amount=0)),
    )
    assert await world.deliver(early) == "IGNORED"
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    assert await world.deliver(late) == "IGNORED"
    assert await world.statuses(early, late) == ["IGNORED", "IGNORED"]
    assert (await page.stands())["refunds"] == []


@pytest.mark.parametrize(
    ("error", "note"),
    [(ZeroDivisionError("a defect"), "ZeroDivisionError"), (balance_limit_reached(1), "BALANCE_LIMIT_REACHED")],
)
async def test_one_that_breaks_is_left_out_and_the_others_have_their_effect(world, monkeypatch, error, note):
    page = await world.open_page()
    events = [world.event("refund.created", page.refund(number, amount=100)) for number in range(1, 4)]
    for event in events:
        assert await world.deliver(event) == "IGNORED"
    apply = refunds.book

    def broken(environment, unit, purchase, sent):
        done = yield from apply(environment, unit, purchase, sent)
        if sent.stripe_refund_id == f"re_{page.tag}n2":
            raise error  # after it has written already
        return done

    monkeypatch.setattr(refunds, "book", broken)
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    assert await world.statuses(*events) == ["PROCESSED", "QUARANTINED", "PROCESSED"]
    assert note in (await world.kept())[events[1]["id"]].error
    stands = await page.stands()
    assert (stands["available"], len(stands["refunds"])) == (CREDITS - 200, 2)
    monkeypatch.undo()
    assert await world.deliver(world.event("refund.updated", page.refund(2, amount=100))) == "PROCESSED"
    assert (await page.stands())["available"] == CREDITS - 300


async def test_a_failure_of_the_machine_is_nobody_s_fault(world, monkeypatch):
    page = await world.open_page()
    refund, session = world.event("refund.created", page.refund()), world.event(PAID, page.session())
    await world.deliver(refund)

    def away(*_):
        raise storage_unavailable()
        yield

    monkeypatch.setattr(refunds, "book", away)
    with pytest.raises(Failure):
        await world.deliver(session)
    assert await world.waiting() == {refund["id"]}
    monkeypatch.undo()
    assert await world.deliver(session) == "PROCESSED"
    assert await world.statuses(refund, session) == ["PROCESSED", "PROCESSED"]


async def test_a_charge_that_waits_makes_stripe_be_asked_between_two_runs(world):
    page = await world.open_page()
    page.list_at_stripe(
        page.refund(1, amount=250), page.refund(2, amount=0), page.refund(3, amount=10, status="failed")
    )
    charge = world.event("charge.refunded", page.charge(amount_refunded=250))
    assert await world.deliver(charge) == "IGNORED"
    assert world.asked == []
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    assert world.asked == [("list_refunds", page.payment_intent_id)]
    assert await world.statuses(charge) == ["PROCESSED"]
    stands = await page.stands()
    assert (stands["available"], len(stands["refunds"])) == (CREDITS - 250, 2)


async def test_odd_refunds_in_stripes_list_hold_up_nothing(world):
    page = await world.open_page()
    page.list_at_stripe(
        page.refund(1, status=""),
        page.refund(2, currency="eur"),
        page.refund(3, amount=10**15),
        page.refund(4, amount=50),
    )
    early, late = (world.event("charge.refunded", page.charge(amount_refunded=50)) for _ in range(2))
    assert await world.deliver(early) == "IGNORED"
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    assert await world.deliver(late) == "QUARANTINED"
    assert await world.statuses(early, late) == ["QUARANTINED", "QUARANTINED"]
    for words in ("refund.status is not", "currency: expected usd", "refund.amount is not a whole number"):
        assert words in (await world.kept())[late["id"]].error
    assert (await page.stands())["available"] == CREDITS - 50


@pytest.mark.parametrize(
    ("error", "note", "then"),
    [
        (ProviderRefused("resource_missing", "no such payment intent"), "resource_missing", "QUARANTINED"),
        (ProviderKeyRefused("the key may not list refunds"), "replay this", "FAILED"),
    ],
)
async def test_a_list_that_stripe_refuses_holds_up_nothing(*, world, monkeypatch, error, note, then):
    """Also where a restricted key may not list refunds. What comes after the payment is known comes again until the key
    may."""
    page = await world.open_page()
    early, late = (world.event("charge.refunded", page.charge(amount_refunded=50)) for _ in range(2))
    await world.deliver(early)

    async def refused(_):
        raise error

    monkeypatch.setattr(world.provider, "list_refunds", refused)
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    assert await world.statuses(early) == ["QUARANTINED"]
    assert note in (await world.kept())[early["id"]].error
    assert await completed(page)
    with suppress(Failure):
        await world.deliver(late)
    assert await world.statuses(late) == [then]


async def test_while_stripe_is_away_both_wait_for_it(world, monkeypatch):
    page = await world.open_page()
    page.list_at_stripe(page.refund(1, amount=50))
    charge, session = world.event("charge.refunded", page.charge(amount_refunded=50)), world.event(PAID, page.session())
    await world.deliver(charge)

    async def away(_):
        raise ProviderUnavailable("nobody answers")

    with monkeypatch.context() as patched:
        patched.setattr(world.provider, "list_refunds", away)
        with pytest.raises(Failure):
            await world.deliver(session)
    assert await world.statuses(charge, session) == ["IGNORED", "FAILED"]
    assert await world.waiting() == {charge["id"]}
    assert await world.deliver(session) == "PROCESSED"
    assert await world.statuses(charge, session) == ["PROCESSED", "PROCESSED"]
    assert (await page.stands())["available"] == CREDITS - 50


@pytest.mark.parametrize("event_type", sorted(each for each in BY_TYPE if each.startswith(("charge.dispute", "radar"))))
async def test_disputes_and_warnings_have_their_effect_on_our_payments_alone(world, event_type):
    page = await world.open_page()
    about = page.warning() if event_type.startswith("radar") else page.dispute()
    strange = world.event(event_type, about | {"payment_intent": "pi_of_another_product"})
    without = world.event(event_type, about | {"payment_intent": None})
    early = world.event(event_type, about)
    for event in (strange, without, early):
        assert await world.deliver(event) == "IGNORED"
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    expanded = {"payment_intent": {"id": page.payment_intent_id, "object": "payment_intent"}}
    late = world.event(event_type, about | expanded)
    assert await world.deliver(late) == "PROCESSED"
    assert await world.statuses(strange, without, early, late) == ["IGNORED", "IGNORED", "PROCESSED", "PROCESSED"]
    counted = world.environment.counters.events
    assert (counted[event_type, "PROCESSED"], counted[event_type, "IGNORED"]) == (2, 3)
    assert (await page.stands())["available"] == CREDITS


async def test_a_whole_refund_that_waits_leaves_nothing_of_the_purchase(world):
    page = await world.open_page()
    for number in range(1, 11):
        await world.deliver(world.event("refund.created", page.refund(number, amount=PRICE_MINOR // 10)))
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    stands = await page.stands()
    assert (stands["available"], stands["debt"], stands["left"], len(stands["refunds"])) == (0, 0, 0, 10)
    assert stands["purchase"]["reversed"] == CREDITS * 10**6


async def test_a_refund_of_ours_in_a_word_that_is_not_known_is_promised(world, monkeypatch):
    """Stripe has made it: its events say what becomes of it."""
    page = await world.open_page()
    await world.deliver(world.event(PAID, page.session()))
    create = world.provider.create_refund

    async def newly_worded(**asked):
        return replace(await create(**asked), status="a_word_of_next_year")

    monkeypatch.setattr(world.provider, "create_refund", newly_worded)
    request = refunds_pb2.RefundRequest(purchase_id=page.purchase_id, amount_minor=300, idempotency_key="k")
    made = (await world.service.answer("refund", request)).refund
    assert made.status == refunds_pb2.REFUND_STATUS_PENDING
    assert made.stripe_refund_id
    for status, available in (("on_its_way", CREDITS - 300), ("failed", CREDITS)):
        told = page.refund(1, id=made.stripe_refund_id, status=status)
        await world.deliver(world.event("charge.refund.updated", told))
        assert (await page.stands())["available"] == available


async def test_labels_of_the_counters_are_bounded(world):
    page = await world.open_page()
    for number in range(30):
        assert await world.deliver(world.event(f"made_up.type_{number}", page.session())) == "IGNORED"
    assert {event_type for event_type, _ in world.environment.counters.events} <= {*BY_TYPE, "other"}
    assert world.environment.counters.events["other", "IGNORED"] == 30
