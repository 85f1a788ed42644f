"""Refunds at Stripe."""

from typing import TYPE_CHECKING

from billing_service.domain.deployment import MARK_FIELD
from billing_service.payments.objects.refund import ProviderRefund, read_refund
from billing_service.payments.stripe.calls import StripeCalls

if TYPE_CHECKING:
    import stripe
    from stripe.params import RefundCreateParams

REFUNDS_PER_PAGE = 100
"""The most that Stripe gives at once."""


class StripeRefunds(StripeCalls):
    """Fits `ports.refunds.Refunds`."""

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

        async def refund(client: "stripe.StripeClient") -> ProviderRefund:
            answer = await client.v1.refunds.create_async(params, {"idempotency_key": idempotency_key})
            made = read_refund(answer.to_dict())
            made.require("stripe_refund_id", "amount_minor", "currency", "status")
            return made

        return await self._answer("create_refund", refund)

    async def list_refunds(self, payment_intent_id: str) -> list[ProviderRefund]:
        async def refunds(client: "stripe.StripeClient") -> list[ProviderRefund]:
            page = await client.v1.refunds.list_async({"payment_intent": payment_intent_id, "limit": REFUNDS_PER_PAGE})
            return [read_refund(refund.to_dict()) async for refund in page.auto_paging_iter()]

        return await self._answer("list_refunds", refunds)
