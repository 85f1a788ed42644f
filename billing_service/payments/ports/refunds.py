"""Refunds: money that goes back to who paid."""

from typing import Protocol

from billing_service.payments.objects.refund import ProviderRefund


class Refunds(Protocol):
    """Sends money of a payment back, and lists what went back."""

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
        """`mark`: empty for none. Id, amount, currency and status of the refund are there."""
        ...

    async def list_refunds(self, payment_intent_id: str) -> list[ProviderRefund]:
        """All refunds of a payment, newest first, also failed and canceled ones and those begun elsewhere. One may have
        faults."""
        ...
