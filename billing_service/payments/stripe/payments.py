"""Payment intents at Stripe."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from billing_service.domain.deployment import MARK_FIELD
from billing_service.payments.objects.payment_intent import (
    BY_INTENT,
    FLOW_FIELD,
    PaymentIntent,
    read_payment_intent,
)
from billing_service.payments.ports.payments import PaymentOrder
from billing_service.payments.stripe.calls import StripeCalls
from billing_service.payments.stripe.metadata import with_callers

if TYPE_CHECKING:
    import stripe
    from stripe import PaymentIntentService
    from stripe.params import PaymentIntentCreateParams

_ANSWERED = ("payment_intent_id", "amount_minor", "currency", "status", "livemode")
"""Of a payment. An answer without these proves nothing."""


class StripePayments(StripeCalls):
    """Fits `ports.payments.Payments`."""

    async def create_payment(self, order: PaymentOrder) -> PaymentIntent:
        ours = {
            "purchase_id": order.purchase_id,
            "account_id": order.account_id,
            FLOW_FIELD: BY_INTENT,
            MARK_FIELD: order.mark,
        }
        params: PaymentIntentCreateParams = {
            "amount": order.amount_minor,
            "currency": order.currency,
            "metadata": with_callers(ours, order.metadata),
            "automatic_payment_methods": {"enabled": True},
        }
        if order.description:
            params["description"] = order.description
        if order.customer_id is not None:
            params["customer"] = order.customer_id
        return await self._payment(
            "create_payment",
            lambda payments: payments.create_async(params, {"idempotency_key": order.idempotency_key}),
            "client_secret",
        )

    async def get_payment(self, payment_intent_id: str) -> PaymentIntent:
        return await self._payment("get_payment", lambda payments: payments.retrieve_async(payment_intent_id))

    async def cancel_payment(self, payment_intent_id: str, idempotency_key: str) -> PaymentIntent:
        return await self._payment(
            "cancel_payment",
            lambda payments: payments.cancel_async(payment_intent_id, options={"idempotency_key": idempotency_key}),
        )

    async def _payment(
        self,
        operation: str,
        ask: "Callable[[PaymentIntentService], Awaitable[stripe.PaymentIntent]]",
        *also: str,
    ) -> PaymentIntent:
        async def payment(client: "stripe.StripeClient") -> PaymentIntent:
            answer = read_payment_intent((await ask(client.v1.payment_intents)).to_dict())
            answer.require(*_ANSWERED, *also)
            return answer

        return await self._answer(operation, payment)
