"""The Stripe adapter. Only this package imports the SDK's client, and only when a provider is made: the import takes a
third of a second."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

from billing_service.domain.deployment import MARK_FIELD
from billing_service.payments.objects import checkout_session
from billing_service.payments.objects.checkout_session import CheckoutSession, read_checkout_session
from billing_service.payments.objects.customer import CONTACT_VERSION_FIELD, ProviderCustomer, read_customer
from billing_service.payments.objects.fields import US_PER_S
from billing_service.payments.objects.refund import ProviderRefund, read_refund
from billing_service.payments.port import CheckoutOrder, ProviderKeyRefused, ProviderRefused, ProviderUnavailable
from billing_service.payments.stripe_metadata import with_callers

if TYPE_CHECKING:
    import stripe
    from stripe.params import CustomerCreateParams, CustomerUpdateParams, RefundCreateParams
    from stripe.params.checkout import SessionCreateParams, SessionCreateParamsLineItem

Answer = TypeVar("Answer")

NETWORK_RETRIES_MAX = 2
"""Made by the SDK itself, under the same idempotency key."""
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
REFUNDS_PER_PAGE = 100
"""The most that Stripe gives at once."""


class StripeProvider:
    """`domain`'s payment provider over Stripe's API.

    `attempt_timeout_s` bounds each wait for the network within one attempt, `call_timeout_s` the whole call with its
    retries. `api_base` is the address of a stand-in for Stripe, such as `http://127.0.0.1:18420`; None is Stripe
    itself. `proxy` is the URL of the forward proxy on the way, with user and password where it asks for them; None: a
    direct connection, whatever the environment says. Used in one event loop; in another one its calls fail before
    anything is sent.
    """

    def __init__(
        self,
        api_key: str,
        *,
        api_base: str | None = None,
        attempt_timeout_s: float = 8.0,
        call_timeout_s: float = 20.0,
        proxy: str | None = None,
    ) -> None:
        import stripe

        from billing_service.payments.stripe_errors import translated
        from billing_service.payments.stripe_http import Transport, without_user

        # A switch of the whole SDK: otherwise it sends timings of earlier calls and writes an id into the home
        # directory.
        stripe.enable_telemetry = False
        self._http = Transport(timeout_s=attempt_timeout_s, proxy=proxy)
        self._proxy = without_user(proxy) if proxy else None
        self._stripe = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base, "files": api_base, "connect": api_base, "meter_events": api_base}
            if api_base
            else None,
            max_network_retries=NETWORK_RETRIES_MAX,
            http_client=self._http,
        )
        self._call_timeout_s = call_timeout_s
        self.calls: Counter[tuple[str, str]] = Counter()
        """Calls that ended, by operation and how: `ok`, `refused` by Stripe, `key_refused`, or `unavailable`."""
        self._translated = translated

    async def create_customer(
        self, *, account_id: str, email: str, name: str, mark: str, idempotency_key: str, contact_version: int = 0
    ) -> str:
        metadata = {"account_id": account_id, MARK_FIELD: mark}
        if contact_version:
            metadata[CONTACT_VERSION_FIELD] = str(contact_version)
        params: CustomerCreateParams = {"metadata": metadata}
        if email:
            params["email"] = email
        if name:
            params["name"] = name
        call = self._stripe.v1.customers.create_async(params, {"idempotency_key": idempotency_key})
        return (await self._answer("create_customer", call)).id

    async def get_customer(self, customer_id: str) -> ProviderCustomer:
        async def customer() -> ProviderCustomer:
            found = read_customer((await self._stripe.v1.customers.retrieve_async(customer_id)).to_dict())
            found.require("customer_id")
            return found

        return await self._answer("get_customer", customer())

    async def update_customer(self, customer_id: str, *, email: str, name: str, contact_version: int | None) -> None:
        params: CustomerUpdateParams = {"email": email, "name": name}
        if contact_version is not None:
            params["metadata"] = {CONTACT_VERSION_FIELD: str(contact_version)}
        await self._answer("update_customer", self._stripe.v1.customers.update_async(customer_id, params))

    async def create_checkout(self, order: CheckoutOrder) -> CheckoutSession:
        call = self._stripe.v1.checkout.sessions.create_async(
            _session_params(order), {"idempotency_key": order.idempotency_key}
        )
        session = await self._checkout("create_checkout", call)
        if (session.amount_subtotal_minor, session.currency) != (order.amount_minor, order.currency):
            raise ProviderRefused(
                "amount_mismatch",
                f"the page would charge {session.amount_subtotal_minor} {session.currency}, not {order.amount_minor} "
                f"{order.currency}",
                "line_items",
            )
        return session

    async def get_checkout(self, session_id: str) -> CheckoutSession:
        return await self._checkout("get_checkout", self._stripe.v1.checkout.sessions.retrieve_async(session_id))

    async def expire_checkout(self, session_id: str, idempotency_key: str) -> CheckoutSession:
        call = self._stripe.v1.checkout.sessions.expire_async(session_id, options={"idempotency_key": idempotency_key})
        return await self._checkout("expire_checkout", call)

    async def create_refund(
        self,
        *,
        refund_id: str,
        purchase_id: str,
        account_id: str,
        payment_intent_id: str,
        amount_minor: int,
        mark: str,
        idempotency_key: str,
    ) -> ProviderRefund:
        metadata = {"refund_id": refund_id, "purchase_id": purchase_id, "account_id": account_id}
        params: RefundCreateParams = {
            "payment_intent": payment_intent_id,
            "amount": amount_minor,
            "metadata": {**metadata, MARK_FIELD: mark} if mark else metadata,
        }

        async def refund() -> ProviderRefund:
            answer = await self._stripe.v1.refunds.create_async(params, {"idempotency_key": idempotency_key})
            made = read_refund(answer.to_dict())
            made.require("stripe_refund_id", "amount_minor", "currency", "status")
            return made

        return await self._answer("create_refund", refund())

    async def list_refunds(self, payment_intent_id: str) -> list[ProviderRefund]:
        async def refunds() -> list[ProviderRefund]:
            page = await self._stripe.v1.refunds.list_async(
                {"payment_intent": payment_intent_id, "limit": REFUNDS_PER_PAGE}
            )
            return [read_refund(refund.to_dict()) async for refund in page.auto_paging_iter()]

        return await self._answer("list_refunds", refunds())

    async def close(self) -> None:
        await self._http.close_async()

    async def _checkout(self, operation: str, call: "Awaitable[stripe.checkout.Session]") -> CheckoutSession:
        async def session() -> CheckoutSession:
            answer = read_checkout_session((await call).to_dict())
            answer.check(*checkout_session.MONEY)
            answer.require(*_ANSWERED)
            return answer

        return await self._answer(operation, session())

    async def _answer(self, operation: str, call: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(self._call_timeout_s):
                answer = await call
        except Exception as error:
            # The port promises two errors and no other: whatever breaks between here and Stripe leaves the outcome
            # unknown.
            meaning = self._translated(operation, error, self._proxy)
            self.calls[operation, _how_it_ended(meaning)] += 1
            raise meaning from error
        self.calls[operation, "ok"] += 1
        return answer


def _how_it_ended(meaning: ProviderRefused | ProviderUnavailable) -> str:
    if isinstance(meaning, ProviderRefused):
        return "refused"
    return "key_refused" if isinstance(meaning, ProviderKeyRefused) else "unavailable"


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
