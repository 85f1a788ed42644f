"""The step of a purchase that is paid in the caller's own page: a payment in a checkout's stead.

Its client secret is nowhere kept: whoever repeats the call is given it by Stripe again.
"""

import orjson

from billing_service.commands.environment import Environment
from billing_service.domain.deployment import MarkKind
from billing_service.domain.sales.purchases import Purchase, PurchaseStatus
from billing_service.payments.objects.payment_intent import PaymentIntent
from billing_service.payments.ports.outcomes import ProviderRefused, ProviderUnavailable
from billing_service.payments.ports.payments import PaymentOrder
from billing_service.storage.rows.purchases import PURCHASES, claim_reference
from billing_service.storage.statements import Work

OVER = frozenset({"succeeded", "processing", "canceled"})
"""Statuses in which a customer has nothing more to do."""


async def ask_for_payment(environment: Environment, purchase: Purchase, customer_id: str | None) -> PaymentIntent:
    """Asks Stripe, by a key of the row: a resumed call gets the same payment. Raises what the port raises, and
    ProviderRefused where Stripe would take another amount."""
    mark = environment.deployment.mark(MarkKind.PURCHASE, purchase.purchase_id)
    order = PaymentOrder(
        purchase_id=purchase.purchase_id,
        account_id=purchase.account_id,
        customer_id=customer_id,
        description=purchase.name,
        amount_minor=purchase.amount_minor,
        currency=purchase.currency,
        # The mark in it: a ledger restored for another deployment asks for a payment of its own.
        idempotency_key=f"payment:{purchase.purchase_id}:{purchase.attempt}:{customer_id or ''}:{mark}",
        mark=mark,
        metadata=orjson.loads(purchase.metadata) if purchase.metadata else {},
    )
    return await environment.payments.create_payment(order)


def bind_payment(purchase: Purchase, intent: PaymentIntent) -> Work[None]:
    """Keeps which payment a purchase waits for. One that is paid already stays with the payment that paid it."""
    if purchase.status in (PurchaseStatus.PENDING, PurchaseStatus.EXPIRED, PurchaseStatus.CANCELED):
        purchase.payment_intent_id = intent.payment_intent_id
        yield from PURCHASES.replace(purchase)
    yield from claim_reference(intent.payment_intent_id, purchase.account_id, purchase.purchase_id)


async def client_secret_of(environment: Environment, payment_intent_id: str) -> str:
    """By which the customer's page pays; empty where nothing is left to pay. Raises ProviderUnavailable,
    ProviderRefused."""
    intent = await environment.payments.get_payment(payment_intent_id)
    return "" if intent.status in OVER else intent.client_secret


async def end_payment(environment: Environment, payment_intent_id: str, key: str) -> PaymentIntent:
    """Calls a payment off; answers it as it has ended, or as it goes on where the customer was faster. Raises
    ProviderUnavailable, ProviderRefused."""
    try:
        return await environment.payments.cancel_payment(payment_intent_id, key)
    except ProviderUnavailable as unavailable:
        if not unavailable.key_spent:
            raise
        # Stripe keeps a failure for that key. Nothing comes of a second cancellation.
        return await end_payment(environment, payment_intent_id, environment.ids("cancel"))
    except ProviderRefused:
        intent = await environment.payments.get_payment(payment_intent_id)
        if intent.status not in OVER:
            raise
        return intent
