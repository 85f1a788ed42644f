"""P50: thousands of signed events of all handled types, with every value that Stripe's types allow. None is refused,
none is a defect, and none holds up the good one that comes after it."""

import random
from collections import Counter

import pytest

from billing_service.domain.sales.purchases import PurchaseStatus
from billing_service.domain.sales.reversals import target_credits
from billing_service.stripe_events.registry import BY_TYPE
from tests.stripe_events.stripe_values import API_VERSIONS, LONG, TEXTS, StripeValues
from tests.support import run_length
from tests.support.bought_page import PRICE_MINOR
from tests.support.event_world import CREDITS, NOW_S

EVENTS = 10_000 if run_length.LONG else 3_000
A_PURCHASE = 25
"""Odd events before the good ones."""
OTHER_TYPES = ("invoice.paid", "plan.created", "never.heard of it", "payment_intent.amount_capturable_updated")
WITHOUT_EFFECT = tuple(f"payment_intent.{word}" for word in ("payment_failed", "canceled", "processing"))
STORES = {}
"""What each store was told, event by event."""
KEPT = {"PROCESSED", "IGNORED", "QUARANTINED"}
MOMENTS = (NOW_S, NOW_S, NOW_S, NOW_S - 400, 0, -1, None, "now", 2**63, 1.5)


class OddEvents:
    """Events about one purchase, some of whose fields are as Stripe's types allow them."""

    def __init__(self, world, chance):
        self.world, self.chance, self.values = world, chance, StripeValues(chance)

    def about(self, page, event_type):
        """The object of a type as it should be, or nearly."""
        state = self.chance.choice(
            (page.session(), page.session(payment_status="unpaid"), page.session(status="expired"))
        )
        number = self.chance.randrange(5)
        objects = {
            "checkout.session": state,
            "payment_intent": page.payment(),
            "charge.refunded": page.charge(amount_refunded=300),
            "charge.refund.updated": page.refund(number, status="failed"),
            "charge.dispute": page.dispute(*self.chance.choice(((), (-200,), (-200, 200))), number=number),
            "refund": page.refund(number),
            "radar": page.warning(),
            "customer": self.world.customer(page.account_id, page.customer_id, email="a@example.org", name="Ada"),
        }
        return next(about for begins, about in objects.items() if event_type.startswith(begins))

    def event(self, page):
        chance = self.chance
        event_type = chance.choice(sorted(BY_TYPE))
        about = self.values.changed(self.about(page, event_type), changes=chance.choice((0, 1, 1, 2, 3, 8, 100)))
        event = self.world.event(
            event_type, about, created_s=chance.choice(MOMENTS), api_version=chance.choice(API_VERSIONS)
        )
        event["pending_webhooks"], event["request"] = self.values.anything(), self.values.anything()
        fate = chance.random()
        if fate < 0.02:
            event["type"] = chance.choice(OTHER_TYPES)
        elif fate < 0.04:
            event["livemode"] = chance.choice((True, None, "false"))
        elif fate < 0.05:
            event["account"] = self.values.anything()
        elif fate < 0.06:
            event["data"] = self.values.anything()
        elif fate < 0.08:
            event["id"] = f"odd id {event['id']} \N{SNOWMAN}"
        return event

    def list_at_stripe(self, page):
        """What Stripe says when it is asked for the payment's refunds: now and then something odd."""
        for number in range(self.chance.choice((0, 0, 1, 3))):
            changes = {
                "amount": self.chance.choice((0, 300, 10**15)),
                "status": self.chance.choice(("succeeded", "failed", "", "new")),
            }
            page.list_at_stripe(page.refund(number, **changes, currency=self.chance.choice(("usd", "usd", "eur"))))


async def good_ones_have_their_effect(world, page):
    """Whatever came before: the purchase is completed once, and a refund of its payment takes what it should."""
    await world.deliver(world.event("payment_intent.succeeded", page.payment()))
    session = world.event("checkout.session.completed", page.session())
    outcome = await world.deliver(session)
    before = (await page.stands())["purchase"]
    assert before["status"] is PurchaseStatus.COMPLETED, (await world.kept())[session["id"]].error
    paid_as_sold = before["payment_intent_id"] == page.payment_intent_id
    assert outcome == ("PROCESSED" if paid_as_sold else "QUARANTINED")
    if paid_as_sold:
        assert await world.deliver(world.event("refund.created", page.refund("good", amount=100))) == "PROCESSED"
    stands = await page.stands()
    purchase = stands["purchase"]
    assert purchase["refunded_minor"] == before["refunded_minor"] + (100 if paid_as_sold else 0)
    gone = min(purchase["refunded_minor"] + purchase["disputed_minor"], purchase["paid_minor"])
    assert purchase["reversed"] == target_credits(CREDITS * 10**6, purchase["paid_minor"], gone)
    assert stands["left"] == CREDITS * 10**6 - purchase["reversed"]
    assert purchase["paid_minor"] >= PRICE_MINOR


@pytest.mark.timeout(600)
async def test_none_is_refused_and_none_holds_up_a_good_one(world, store_name):
    chance = random.Random(50)
    odd = OddEvents(world, chance)
    outcomes, sent, told = Counter(), [], []
    for _ in range(EVENTS // A_PURCHASE):
        page = await world.open_page()
        odd.list_at_stripe(page)
        for _ in range(A_PURCHASE):
            event = odd.event(page)
            outcome = await world.deliver(event)
            assert outcome in KEPT, event
            outcomes[event["type"], outcome] += 1
            sent.append(event)
            told.append(outcome)
        again = chance.choice(sent[-A_PURCHASE:])
        assert await world.deliver(again) == "DUPLICATE"
        await good_ones_have_their_effect(world, page)
    assert len(sent) == EVENTS
    kept = await world.kept()
    assert {event["id"] for event in sent} <= kept.keys()
    assert not any(event.status == "FAILED" for event in kept.values())
    met = {event_type: {outcome for each, outcome in outcomes if each == event_type} for event_type, _ in outcomes}
    assert met == {event_type: {"IGNORED"} for event_type in OTHER_TYPES} | {
        event_type: KEPT - {"PROCESSED"} if event_type.startswith(WITHOUT_EFFECT) else KEPT for event_type in BY_TYPE
    }
    STORES[store_name] = told
    assert set(map(tuple, STORES.values())) == {tuple(told)}, "the stores differ"


def test_the_values_are_those_of_stripes_types():
    """What is never drawn proves nothing."""
    drawn, values = {}, StripeValues(random.Random(1))
    for event_type in ("checkout.session.completed", "refund.created", "customer.updated"):
        kind = {"checkout": "checkout.session", "refund": "refund", "customer": "customer"}[
            event_type.partition(".")[0]
        ]
        for _ in range(2_000):
            for name, value in values.changed({"object": kind}, 100).items():
                drawn.setdefault((kind, name), set()).add(repr(value)[:40])
    assert {"None", "0", "-1", str(10**15), str(2**63)} <= drawn["checkout.session", "amount_total"]
    assert {"'complete'", "'expired'", "'open'", "None", "'a_word_of_next_year'"} <= drawn["checkout.session", "status"]
    assert {repr(text)[:40] for text in (*TEXTS, LONG)} <= drawn["refund", "currency"]
    assert any(value.startswith("{'id'") for value in drawn["refund", "payment_intent"])
    assert "None" in drawn["refund", "status"]
    assert len(drawn) > 120
