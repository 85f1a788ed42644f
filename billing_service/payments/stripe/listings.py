"""Lists of what Stripe has."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from billing_service.domain.times import US_PER_S
from billing_service.payments.ports.listings import Listed
from billing_service.payments.stripe.calls import StripeCalls

if TYPE_CHECKING:
    import stripe

PAGE: Final = 100
"""The most that Stripe gives at once."""
_EXPANDED: Final[Mapping[str, tuple[str, ...]]] = {"checkout.session": ("payment_intent",)}
"""A session does not say that its delayed payment failed; the payment does."""


class StripeListings(StripeCalls):
    """Fits `ports.listings.Listings`."""

    async def list_created(self, kind: str, since_us: int, until_us: int, after: str) -> Listed:
        return await self._page(kind, {"created": _within(since_us, until_us)}, after)

    async def list_of_payment(self, kind: str, payment_intent_id: str) -> Listed:
        return await self._page(kind, {"payment_intent": payment_intent_id}, "")

    async def list_undelivered_events(self, types: Sequence[str], since_us: int, until_us: int, after: str) -> Listed:
        wanted = {"created": _within(since_us, until_us), "delivery_success": False, "types": list(types)}
        return await self._page("event", wanted, after)

    async def get_object(self, kind: str, object_id: str) -> Mapping[str, Any]:
        async def found(client: "stripe.StripeClient") -> Mapping[str, Any]:
            wanted = {"expand": list(_EXPANDED[kind])} if kind in _EXPANDED else {}
            answer: Mapping[str, Any] = (await _service(client, kind).retrieve_async(object_id, wanted)).to_dict()
            return answer

        return await self._answer(f"get_{_word(kind)}", found)

    async def _page(self, kind: str, wanted: Mapping[str, Any], after: str) -> Listed:
        params: dict[str, Any] = {**wanted, "limit": PAGE}
        if after:
            params["starting_after"] = after
        if kind in _EXPANDED:
            params["expand"] = [f"data.{name}" for name in _EXPANDED[kind]]

        async def page(client: "stripe.StripeClient") -> Listed:
            listed = await _service(client, kind).list_async(params)
            objects = [each.to_dict() for each in listed.data]
            return Listed(objects, str(objects[-1]["id"]) if objects and listed.has_more else "")

        return await self._answer(f"list_{_word(kind)}s", page)


def _within(since_us: int, until_us: int) -> dict[str, int]:
    return {"gte": since_us // US_PER_S, "lt": until_us // US_PER_S}


def _word(kind: str) -> str:
    """As metrics name the calls."""
    return kind.rpartition(".")[2]


def _service(client: "stripe.StripeClient", kind: str) -> Any:
    """The SDK's service of a kind. One type fits none of their parameters, which are checked against the sandbox."""
    v1 = client.v1
    return {
        "checkout.session": v1.checkout.sessions,
        "payment_intent": v1.payment_intents,
        "refund": v1.refunds,
        "dispute": v1.disputes,
        "radar.early_fraud_warning": v1.radar.early_fraud_warnings,
        "customer": v1.customers,
        "event": v1.events,
    }[kind]
