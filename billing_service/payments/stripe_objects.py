"""From Stripe's answers to the port's plain values. An answer of another shape raises ValueError: it proves nothing."""

from collections.abc import Mapping
from typing import Any

from billing_service.domain.deployment import MARK_FIELD
from billing_service.payments.port import CONTACT_VERSION_FIELD, CheckoutSession, ProviderCustomer, ProviderRefund
from billing_service.payments.stripe_metadata import read_contact_version

US_PER_S = 1_000_000


def checkout_session(answer: Mapping[str, Any]) -> CheckoutSession:
    metadata = _metadata(answer)
    totals = answer.get("total_details") or {}
    return CheckoutSession(
        session_id=_text(answer, "id"),
        purchase_id=_purchase_id(metadata, answer.get("client_reference_id")),
        account_id=metadata.get("account_id"),
        customer_id=_reference(answer, "customer"),
        mode=_text(answer, "mode"),
        url=_optional_text(answer, "url") or "",
        status=_text(answer, "status"),
        payment_status=_text(answer, "payment_status"),
        payment_intent_id=_reference(answer, "payment_intent"),
        expire_time_us=_whole(answer, "expires_at") * US_PER_S,
        amount_subtotal_minor=_whole(answer, "amount_subtotal"),
        amount_total_minor=_whole(answer, "amount_total"),
        amount_discount_minor=_whole(totals, "amount_discount", absent=0),
        amount_tax_minor=_whole(totals, "amount_tax", absent=0),
        amount_shipping_minor=_whole(totals, "amount_shipping", absent=0),
        currency=_text(answer, "currency"),
        livemode=_flag(answer, "livemode"),
    )


def provider_refund(answer: Mapping[str, Any]) -> ProviderRefund:
    metadata = _metadata(answer)
    return ProviderRefund(
        stripe_refund_id=_text(answer, "id"),
        status=_optional_text(answer, "status") or "",
        amount_minor=_whole(answer, "amount"),
        currency=_text(answer, "currency"),
        payment_intent_id=_reference(answer, "payment_intent"),
        charge_id=_reference(answer, "charge"),
        refund_id=metadata.get("refund_id"),
        purchase_id=metadata.get("purchase_id"),
        mark=metadata.get(MARK_FIELD, ""),
    )


def provider_customer(answer: Mapping[str, Any]) -> ProviderCustomer:
    return ProviderCustomer(
        customer_id=_text(answer, "id"),
        email=_words(answer, "email"),
        name=_words(answer, "name"),
        deleted=answer.get("deleted") is True,
        contact_version=read_contact_version(_metadata(answer).get(CONTACT_VERSION_FIELD)),
    )


def _purchase_id(metadata: Mapping[str, str], client_reference_id: object) -> str | None:
    marked = metadata.get("purchase_id")
    return marked if marked == client_reference_id else None


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is not text")
    return value


def _optional_text(values: Mapping[str, Any], name: str) -> str | None:
    return None if values.get(name) is None else _text(values, name)


def _words(values: Mapping[str, Any], name: str) -> str:
    """Text that a person wrote; empty where absent."""
    value = values.get(name)
    return value if isinstance(value, str) else ""


def _whole(values: Mapping[str, Any], name: str, *, absent: int | None = None) -> int:
    value = values.get(name, absent)
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} is not a whole number from 0")
    return value


def _flag(values: Mapping[str, Any], name: str) -> bool:
    value = values.get(name)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is neither true nor false")  # noqa: TRY004 - one error for every wrong shape
    return value


def _reference(values: Mapping[str, Any], name: str) -> str | None:
    """The id of another object, which Stripe sends alone or, when expanded, inside it."""
    value = values.get(name)
    return _text(value, "id") if isinstance(value, Mapping) else _optional_text(values, name)


def _metadata(values: Mapping[str, Any]) -> dict[str, str]:
    metadata = values.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        raise ValueError("metadata is not a map")  # noqa: TRY004 - one error for every wrong shape
    return {name: value for name, value in metadata.items() if isinstance(value, str)}
