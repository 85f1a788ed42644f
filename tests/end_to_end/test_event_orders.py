"""Every order of an event set, with repetitions and with spending in between, ends at one balance and one statement."""

import json
import random
from contextlib import AsyncExitStack
from itertools import permutations

import pytest
from billing_client.options import ClientOptions
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_COMPLETED as COMPLETED
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_FAILED as FAILED

from tests.support.run_length import LONG
from tests.support.stack import CREDIT, WEBHOOK_SECRET
from tests.support.webhooks_withheld import webhooks_withheld
from tests.support.wire import outcomes, signature
from webhook_gateway.config import GatewayConfig
from webhook_gateway.run import serve_gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAID = ("payment_intent.succeeded", "checkout.session.completed")
REFUND = ("refund.created", "charge.refunded", "refund.updated", "refund.failed")
TAKEN = ("PROCESSED", "DUPLICATE", "IGNORED")


async def deliver_all(withheld, events, chance):
    """In this order, some of them again at once or much later."""
    for event in events:
        assert await withheld.wire.deliver(event) in TAKEN
        if chance.random() < 0.3:
            assert await withheld.wire.deliver(chance.choice(events)) in TAKEN
    for event in chance.sample(events, k=2):
        assert await withheld.wire.deliver(event) in TAKEN


def ended(**differences):
    end = {
        "status": COMPLETED,
        "available": 1100,
        "frozen": 0,
        "debt": 0,
        "refunded": 0,
        "reversed": 0,
        "paid": 1000,
    } | differences
    return end | {"statement": end["available"] + end["frozen"] - end["debt"]}


@pytest.mark.parametrize(
    ("outcome", "end"), [("succeeded", ended(available=700, refunded=400, reversed=400)), ("failed", ended())]
)
async def test_payment_and_a_refund_of_the_dashboard(database, new_account, outcome, end):
    """All 120 orders of five events, of which PostgreSQL gets 40; with the failure six events, of whose 720 orders 30
    are drawn."""
    async with webhooks_withheld(database.url) as withheld:
        chance = random.Random(outcome)
        orders = list(permutations(range(5 if outcome == "succeeded" else 6)))
        if outcome == "failed" or (database.store == "postgresql" and not LONG):
            orders = chance.sample(orders, 40 if outcome == "succeeded" else 30)
        for order in orders:
            account_id = new_account()
            purchase = await withheld.paid_checkout(account_id)
            refund = await withheld.stripe(
                "POST", "refunds", payment_intent=await withheld.payment_intent(purchase), amount=400
            )
            await withheld.stack.control(f"refunds/{refund['id']}/settle", {"status": outcome})
            events = await withheld.events(*PAID, *REFUND)
            assert len(events) == len(order)
            await deliver_all(withheld, [events[place] for place in order], chance)
            assert await withheld.ends(account_id, purchase) == end, [events[place]["type"] for place in order]


async def test_spending_in_between_changes_no_sum(database, new_account):
    """Usage that is recorded as debt lands before or after the money, the refund and its failure."""
    async with webhooks_withheld(database.url) as withheld:
        chance = random.Random(7)
        for order in chance.sample(list(permutations(range(5))), 30):
            account_id = new_account()
            purchase = await withheld.paid_checkout(account_id)
            refund = await withheld.stripe(
                "POST", "refunds", payment_intent=await withheld.payment_intent(purchase), amount=1000
            )
            await withheld.stack.control(f"refunds/{refund['id']}/settle", {"status": "succeeded"})
            events = await withheld.events(*PAID, *REFUND)
            moment = chance.randrange(6)
            for place in [*order, *order][: 5 + moment]:
                await withheld.wire.deliver(events[place])
                if place == order[min(moment, 4)]:
                    await withheld.wire.call(
                        "DeductCredits",
                        account_id=account_id,
                        amount_microcredits=150 * CREDIT,
                        mode=3,
                        idempotency_key="usage",
                    )
            expected = ended(available=0, debt=50, refunded=1000, reversed=1000)
            assert await withheld.ends(account_id, purchase) == expected, order


@pytest.mark.parametrize(
    "types",
    [
        ("charge.refunded",),
        ("refund.updated",),
        ("refund.created",),
        ("charge.refund.updated",),
        ("charge.refunded", "refund.updated"),
    ],
)
async def test_some_events_of_a_refund_never_come(database, new_account, types):
    """Endpoints may be subscribed to few types, and deliveries may be given up: one word of the refund is enough."""
    async with webhooks_withheld(database.url) as withheld:
        for order in permutations(range(2 + len(types))):
            account_id = new_account()
            purchase = await withheld.paid_checkout(account_id)
            refund = await withheld.stripe(
                "POST", "refunds", payment_intent=await withheld.payment_intent(purchase), amount=250
            )
            await withheld.stack.control(f"refunds/{refund['id']}/settle", {"status": "succeeded"})
            events = await withheld.events(*PAID, *types)
            assert len(events) == len(order)
            for place in order:
                await withheld.wire.deliver(events[place])
            end = ended(available=850, refunded=250, reversed=250)
            assert await withheld.ends(account_id, purchase) == end, [events[place]["type"] for place in order]


@pytest.mark.parametrize("types", [("charge.refund.updated",), ("charge.refunded", "charge.refund.updated")])
async def test_an_endpoint_of_old_is_told_that_a_refund_failed(database, new_account, types):
    """Before October 2024 there was no refund.failed for card payments; credits that went come back all the same."""
    async with webhooks_withheld(database.url) as withheld:
        for order in permutations(range(1 + len(types))):
            account_id = new_account()
            purchase = await withheld.paid_checkout(account_id)
            refund = await withheld.stripe(
                "POST", "refunds", payment_intent=await withheld.payment_intent(purchase), amount=400
            )
            first = await withheld.events(PAID[1], *types)
            await withheld.stack.control(f"refunds/{refund['id']}/settle", {"status": "failed"})
            events = first + await withheld.events(*types)
            assert len(events) == len(order)
            for place in order:
                assert await withheld.wire.deliver(events[place]) in TAKEN
            assert await withheld.ends(account_id, purchase) == ended(), [events[place]["type"] for place in order]


@pytest.mark.parametrize(
    ("outcome", "end"),
    [
        ("succeeded", ended(available=500, refunded=600, reversed=600)),
        ("failed", ended()),
        ("canceled", ended()),
    ],
)
async def test_a_refund_of_ours_ends_as_stripe_says_whatever_the_order(database, new_account, outcome, end):
    async with webhooks_withheld(database.url) as withheld:
        settled = ["requires_action", outcome] if outcome == "canceled" else [outcome]
        names = {"succeeded": 3, "failed": 4, "canceled": 4}
        for order in permutations(range(names[outcome])):
            account_id = new_account()
            purchase = await withheld.paid_checkout(account_id)
            for event in await withheld.events(*PAID):
                assert await withheld.wire.deliver(event) == "PROCESSED"
            made = await withheld.wire.do("Refund", purchase_id=purchase.purchase_id, amount_minor=600)
            assert await withheld.ends(account_id, purchase) == ended(
                available=500, frozen=600, refunded=600, reversed=600
            ) | {"statement": 500}
            for status in settled:
                await withheld.stack.control(f"refunds/{made.refund.stripe_refund_id}/settle", {"status": status})
            events = await withheld.events(*REFUND)
            assert len(events) == len(order)
            for place in order:
                await withheld.wire.deliver(events[place])
            assert await withheld.ends(account_id, purchase) == end, [events[place]["type"] for place in order]


@pytest.mark.parametrize(("outcome", "status", "available"), [("succeeded", COMPLETED, 1100), ("failed", FAILED, 100)])
async def test_delayed_money_in_every_order(database, new_account, outcome, status, available):
    types = ("payment_intent.succeeded", "payment_intent.payment_failed", "checkout.session.completed")
    async with webhooks_withheld(database.url) as withheld:
        for order in permutations(range(3)):
            account_id = new_account()
            purchase = await withheld.paid_checkout(account_id, method="debit")
            intent = await withheld.payment_intent(purchase)
            await withheld.stack.control(f"payments/{intent}/settle", {"outcome": outcome})
            events = await withheld.events(*types, f"checkout.session.async_payment_{outcome}")
            assert len(events) == 3, [event["type"] for event in events]
            await deliver_all(withheld, [events[place] for place in order], random.Random(str(order)))
            end = await withheld.ends(account_id, purchase)
            assert (end["status"], end["available"], end["statement"]) == (status, available, available), order


async def test_fifty_deliveries_at_once_have_one_effect(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id)
        events = await withheld.events(*PAID)
        crowd = await outcomes(*(withheld.wire.deliver(event) for event in events for _ in range(50)))
        assert sorted(crowd) == ["DUPLICATE"] * 98 + ["PROCESSED"] * 2
        assert await withheld.ends(account_id, purchase) == ended()
        kept = (await withheld.wire.call("ListStripeEvents")).events
        assert [(event.attempt_count, event.error) for event in kept] == [(1, "")] * 2


async def test_two_gateways_and_events_with_other_ids_grant_a_payment_once(database, new_account):
    """One payment, told by four events of which two are the others again under new ids, through two gateways at
    once."""
    async with webhooks_withheld(database.url) as withheld, AsyncExitStack() as running:
        config = GatewayConfig(secrets=(WEBHOOK_SECRET,), billing=ClientOptions(address=withheld.stack.service.address))
        gateways = [withheld.stack.gateway_url, await running.enter_async_context(serve_gateway(config))]
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id)
        events = await withheld.events(*PAID)
        events += [event | {"id": f"{event['id']}again"} for event in events]

        async def deliver(gateway, event):
            body = json.dumps(event).encode()
            headers = {"stripe-signature": signature(body)}
            while (
                answer := await withheld.stack.http.post(f"{gateway}/webhooks/stripe", content=body, headers=headers)
            ).status_code == 503:
                pass  # Stripe delivers again
            return answer.status_code

        told = await outcomes(*(deliver(gateway, event) for event in events for gateway in gateways for _ in range(6)))
        assert set(told) == {200}
        assert await withheld.ends(account_id, purchase) == ended()
        kept = (await withheld.wire.call("ListStripeEvents")).events
        assert sorted(event.event_id for event in kept) == sorted(event["id"] for event in events)


async def test_payments_and_refunds_at_once(database, new_account):
    """All events of ten purchases, each three times, shuffled, delivered together."""
    async with webhooks_withheld(database.url) as withheld:
        stories, crowd, chance = [], [], random.Random(3)
        for number in range(10):
            account_id = new_account()
            purchase = await withheld.paid_checkout(account_id)
            refund = await withheld.stripe(
                "POST", "refunds", payment_intent=await withheld.payment_intent(purchase), amount=100 * (number + 1)
            )
            await withheld.stack.control(
                f"refunds/{refund['id']}/settle", {"status": "succeeded" if number % 2 else "failed"}
            )
            stories.append((account_id, purchase, 100 * (number + 1) if number % 2 else 0))
            crowd += await withheld.events(*PAID, *REFUND) * 3
        chance.shuffle(crowd)
        told = await outcomes(*(withheld.wire.deliver_until_taken(event) for event in crowd))
        assert set(told) <= set(TAKEN), told
        for account_id, purchase, back in stories:
            assert await withheld.ends(account_id, purchase) == ended(
                available=1100 - back, refunded=back, reversed=back
            )
