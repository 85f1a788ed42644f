"""Payments that a purchase asked for itself: what their events must not do, and what they do in any order."""

from dataclasses import replace
from itertools import permutations

import pytest
from prepaid.billing.v1 import purchases_pb2
from prepaid.billing.v1.accounts_pb2 import GetBalanceRequest

from billing_service.domain.deployment import MARK_FIELD, MarkKind
from tests.support.doubles import DEPLOYMENT
from tests.support.event_world import CREDITS

SUCCEEDED, PROCESSING, FAILED = (f"payment_intent.{word}" for word in ("succeeded", "processing", "payment_failed"))


class Asked:
    """A purchase and the payment that it asked for."""

    def __init__(self, world, purchase):
        self.world, self.purchase = world, purchase

    def intent(self, **changes):
        made = self.purchase
        mark = DEPLOYMENT.mark(MarkKind.PURCHASE, made.purchase_id)
        metadata = {"purchase_id": made.purchase_id, "account_id": made.account_id}
        return {
            "id": made.payment_intent_id,
            "object": "payment_intent",
            "status": "succeeded",
            "amount": made.amount_minor,
            "amount_received": made.amount_minor,
            "currency": made.currency,
            "livemode": False,
            "last_payment_error": None,
            "metadata": metadata | {"payment_flow": "payment_intent", MARK_FIELD: mark},
        } | changes

    async def deliver(self, event_type, **changes):
        return await self.world.deliver(self.world.event(event_type, self.intent(**changes)))

    async def stands(self):
        request = purchases_pb2.GetPurchaseRequest(purchase_id=self.purchase.purchase_id)
        found = (await self.world.service.answer("get_purchase", request)).purchase
        return purchases_pb2.PurchaseStatus.Name(found.status).removeprefix("PURCHASE_STATUS_"), found.paid_minor


async def asked_by(world, account_id):
    request = purchases_pb2.CreatePurchaseRequest(
        account_id=account_id,
        package_code="starter",
        payment_flow=purchases_pb2.PAYMENT_FLOW_PAYMENT_INTENT,
        idempotency_key="k",
    )
    return Asked(world, (await world.service.answer("create_purchase", request)).purchase)


@pytest.fixture
async def asked(world):
    return await asked_by(world, "ada")


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_received": 999},
        {"amount_received": 1_001},
        {"currency": "eur"},
        {"livemode": True},
        {"livemode": None},
        {"amount_received": None, "amount": None},
    ],
)
async def test_another_payment_than_was_asked_for_is_alarmed(asked, wrong):
    assert await asked.deliver(SUCCEEDED, **wrong) == "QUARANTINED"
    assert await asked.stands() == ("PENDING", 0)
    assert await asked.deliver(SUCCEEDED) == "PROCESSED"
    assert await asked.stands() == ("COMPLETED", 1_000)


async def test_a_second_payment_of_a_purchase_is_alarmed(asked):
    assert await asked.deliver(SUCCEEDED) == "PROCESSED"
    assert await asked.deliver(SUCCEEDED) == "PROCESSED"
    assert await asked.deliver(SUCCEEDED, id="pi_second") == "QUARANTINED"
    assert await asked.stands() == ("COMPLETED", 1_000)


async def test_metadata_alone_makes_no_payment_ours(asked):
    metadata = asked.intent()["metadata"] | {MARK_FIELD: "forged"}
    assert await asked.deliver(SUCCEEDED, id="pi_of_a_stranger", metadata=metadata) == "IGNORED"
    assert await asked.stands() == ("PENDING", 0)


async def test_a_payment_of_a_checkout_that_says_that_it_was_asked_for_completes_nothing(world):
    page = await world.open_page()
    about = page.payment(metadata=page.metadata | {"payment_flow": "payment_intent"})
    assert await world.deliver(world.event(SUCCEEDED, about)) == "PROCESSED"
    assert await world.deliver(world.event(PROCESSING, about | {"status": "processing"})) == "IGNORED"
    assert (await page.stands())["available"] == 0


async def test_money_that_came_ends_alike_in_any_order(world):
    """Each event holds the payment as it was then; Stripe says how it stands now."""
    then = {PROCESSING: "processing", FAILED: "requires_payment_method", SUCCEEDED: "succeeded"}
    for number, order in enumerate(permutations(then)):
        asked = await asked_by(world, f"account-{number}")
        payments, intent_id = world.provider.stripe.payments, asked.purchase.payment_intent_id
        payments[intent_id] = replace(payments[intent_id], status="succeeded")
        for event_type in order:
            assert await asked.deliver(event_type, status=then[event_type]) == "PROCESSED"
        assert await asked.stands() == ("COMPLETED", 1_000), order
        balance = await world.service.answer("get_balance", GetBalanceRequest(account_id=f"account-{number}"))
        assert balance.balance.available_microcredits == CREDITS * 10**6
