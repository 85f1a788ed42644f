"""Checkout sessions at Stripe."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from billing_service.domain.deployment import MARK_FIELD
from billing_service.domain.times import US_PER_S
from billing_service.payments.objects import checkout_session
from billing_service.payments.objects.checkout_session import CheckoutSession, read_checkout_session
from billing_service.payments.ports.checkouts import CheckoutOrder
from billing_service.payments.ports.outcomes import ProviderRefused
from billing_service.payments.stripe.calls import StripeCalls
from billing_service.payments.stripe.metadata import with_callers

if TYPE_CHECKING:
    import stripe
    from stripe.checkout import SessionService
    from stripe.params.checkout import SessionCreateParams, SessionCreateParamsLineItem

_ANSWERED = (
    "session_id",
    "mode",
    "status",
    "payment_status",
    "amount_subtotal_minor",
    "amount_total_minor",
    "currency",
    "livemode",
)
"""Of a checkout. An answer without these proves nothing."""


class StripeCheckouts(StripeCalls):
    """Fits `ports.checkouts.Checkouts`."""

    async def create_checkout(self, order: CheckoutOrder) -> CheckoutSession:
        params = _session_params(order)
        session = await self._checkout(
            "create_checkout",
            lambda pages: pages.create_async(params, {"idempotency_key": order.idempotency_key}),
        )
        if (session.amount_subtotal_minor, session.currency) != (order.amount_minor, order.currency):
            raise ProviderRefused(
                "amount_mismatch",
                f"the page would charge {session.amount_subtotal_minor} {session.currency}, not {order.amount_minor} "
                f"{order.currency}",
                "line_items",
            )
        return session

    async def get_checkout(self, session_id: str) -> CheckoutSession:
        return await self._checkout("get_checkout", lambda pages: pages.retrieve_async(session_id))

    async def expire_checkout(self, session_id: str, idempotency_key: str) -> CheckoutSession:
        return await self._checkout(
            "expire_checkout",
            lambda pages: pages.expire_async(session_id, options={"idempotency_key": idempotency_key}),
        )

    async def _checkout(
        self, operation: str, ask: "Callable[[SessionService], Awaitable[stripe.checkout.Session]]"
    ) -> CheckoutSession:
        async def session(client: "stripe.StripeClient") -> CheckoutSession:
            answer = read_checkout_session((await ask(client.v1.checkout.sessions)).to_dict())
            answer.check(*checkout_session.MONEY)
            answer.require(*_ANSWERED)
            return answer

        return await self._answer(operation, session)


def _session_params(order: CheckoutOrder) -> "SessionCreateParams":
    ours = {"purchase_id": order.purchase_id, "account_id": order.account_id, MARK_FIELD: order.mark}
    metadata = with_callers(ours, order.metadata)
    params: SessionCreateParams = {
        "mode": "payment",
        "line_items": [_line_item(order)],
        "client_reference_id": order.purchase_id,
        "metadata": metadata,
        # Not copied by Stripe: without it a refund made in the Dashboard can't be traced to its purchase.
        "payment_intent_data": {"metadata": metadata},
        "success_url": order.success_url,
        "cancel_url": order.cancel_url,
        "expires_at": order.expire_time_us // US_PER_S,
        # Another currency on the page would make amounts that are not ours.
        "adaptive_pricing": {"enabled": False},
    }
    if order.customer_id is not None:
        params["customer"] = order.customer_id
    if order.allow_promotion_codes:
        params["allow_promotion_codes"] = True
    return params


def _line_item(order: CheckoutOrder) -> "SessionCreateParamsLineItem":
    if order.stripe_price_id is not None:
        return {"price": order.stripe_price_id, "quantity": 1}
    item: SessionCreateParamsLineItem = {
        "price_data": {
            "currency": order.currency,
            "unit_amount": order.amount_minor,
            "product_data": {"name": order.name},
        },
        "quantity": 1,
    }
    if order.description:
        item["price_data"]["product_data"]["description"] = order.description
    return item
