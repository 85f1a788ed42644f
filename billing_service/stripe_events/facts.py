"""What an event says, as plain values: one fact per family of events. Pure; the only exception is FactInvalid.

Money is a whole number of the currency's smallest unit. Statuses are Stripe's own words. Ids of ours are what the object's metadata
names: `ownership` says whether to believe them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from billing_service.domain.deployment import MARK_FIELD
from billing_service.domain.purchases import PurchaseNews, checkout_news
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.object_fields import FactInvalid, ObjectFields

ASYNC_PAYMENT_FAILED: Final = "checkout.session.async_payment_failed"
CUSTOMER_DELETED: Final = "customer.deleted"


@dataclass(frozen=True, slots=True)
class CheckoutFact:
    """A Checkout Session at the moment of the event; fits `domain.purchases.CheckoutReport`."""

    session_id: str
    purchase_id: str | None
    """None unless metadata and client_reference_id name the same purchase."""
    note: str
    """Why there is no purchase_id although something names one; else empty."""
    account_id: str | None
    mode: str
    status: str | None
    payment_status: str
    payment_intent_id: str | None
    """Known once the customer pays; never for a free checkout."""
    customer_id: str | None
    amount_subtotal_minor: int | None
    amount_total_minor: int | None
    amount_discount_minor: int
    amount_tax_minor: int
    currency: str | None
    """None, as the amounts, in modes that sell nothing."""
    livemode: bool
    news: PurchaseNews | None
    """What it means for the purchase."""


@dataclass(frozen=True, slots=True)
class PaymentIntentFact:
    """Says which payment belongs to which purchase. It never grants: the session's event does."""

    payment_intent_id: str
    status: str
    amount_minor: int
    amount_received_minor: int
    currency: str
    customer_id: str | None
    latest_charge_id: str | None
    purchase_id: str | None
    account_id: str | None
    livemode: bool


@dataclass(frozen=True, slots=True)
class RefundFact:
    """One refund. Refunds begun in the Dashboard name nothing of ours: find their purchase by the payment."""

    stripe_refund_id: str
    payment_intent_id: str | None
    charge_id: str | None
    amount_minor: int
    currency: str
    status: str
    """pending · requires_action · succeeded · failed · canceled"""
    refund_id: str | None
    purchase_id: str | None
    mark: str
    """Whatever it carries as one; empty for none."""


@dataclass(frozen=True, slots=True)
class ChargeFact:
    """A charge, as `charge.refunded` sends it. `amount_refunded_minor` is cumulative over all its refunds: never an amount to take."""

    charge_id: str
    payment_intent_id: str | None
    amount_minor: int
    amount_refunded_minor: int
    currency: str
    purchase_id: str | None
    livemode: bool


@dataclass(frozen=True, slots=True)
class CustomerFact:
    """A customer as it stands, or as it stood when it was deleted."""

    customer_id: str
    email: str
    name: str
    account_id: str | None
    deleted: bool


Fact = CheckoutFact | PaymentIntentFact | RefundFact | ChargeFact | CustomerFact


def parse_fact(envelope: Envelope) -> Fact | None:
    """The fact that the event tells; None for a type that is not handled. Raises FactInvalid."""
    parse = _PARSERS.get(envelope.event_type)
    return None if parse is None else parse(envelope)


def checkout_fact(envelope: Envelope) -> CheckoutFact:
    fields = ObjectFields(envelope.object, "checkout.session")
    in_metadata, in_reference = fields.metadata_text("purchase_id"), fields.own_text("client_reference_id")
    agree = in_metadata == in_reference
    fact = CheckoutFact(
        session_id=fields.word("id"),
        purchase_id=in_metadata if agree else None,
        note="" if agree else "metadata.purchase_id and client_reference_id disagree",
        account_id=fields.metadata_text("account_id"),
        mode=fields.word("mode"),
        status=fields.optional_word("status"),
        payment_status=fields.word("payment_status"),
        payment_intent_id=fields.reference("payment_intent"),
        customer_id=fields.reference("customer"),
        amount_subtotal_minor=fields.optional_amount("amount_subtotal"),
        amount_total_minor=fields.optional_amount("amount_total"),
        amount_discount_minor=fields.part_amount("total_details", "amount_discount"),
        amount_tax_minor=fields.part_amount("total_details", "amount_tax"),
        currency=fields.optional_currency(),
        livemode=_livemode(envelope, fields),
        news=None,
    )
    return replace(fact, news=_news(envelope.event_type, fact))


def payment_intent_fact(envelope: Envelope) -> PaymentIntentFact:
    fields = ObjectFields(envelope.object, "payment_intent")
    return PaymentIntentFact(
        payment_intent_id=fields.word("id"),
        status=fields.word("status"),
        amount_minor=fields.amount("amount"),
        amount_received_minor=fields.optional_amount("amount_received") or 0,
        currency=fields.currency(),
        customer_id=fields.reference("customer"),
        latest_charge_id=fields.reference("latest_charge"),
        purchase_id=fields.metadata_text("purchase_id"),
        account_id=fields.metadata_text("account_id"),
        livemode=_livemode(envelope, fields),
    )


def refund_fact(envelope: Envelope) -> RefundFact:
    fields = ObjectFields(envelope.object, "refund")
    return RefundFact(
        stripe_refund_id=fields.word("id"),
        payment_intent_id=fields.reference("payment_intent"),
        charge_id=fields.reference("charge"),
        amount_minor=fields.amount("amount"),
        currency=fields.currency(),
        status=fields.word("status"),
        refund_id=fields.metadata_text("refund_id"),
        purchase_id=fields.metadata_text("purchase_id"),
        mark=fields.metadata_text(MARK_FIELD) or "",
    )


def charge_fact(envelope: Envelope) -> ChargeFact:
    fields = ObjectFields(envelope.object, "charge")
    return ChargeFact(
        charge_id=fields.word("id"),
        payment_intent_id=fields.reference("payment_intent"),
        amount_minor=fields.amount("amount"),
        amount_refunded_minor=fields.amount("amount_refunded"),
        currency=fields.currency(),
        purchase_id=fields.metadata_text("purchase_id"),
        livemode=_livemode(envelope, fields),
    )


def customer_fact(envelope: Envelope) -> CustomerFact:
    fields = ObjectFields(envelope.object, "customer")
    return CustomerFact(
        customer_id=fields.word("id"),
        email=fields.text("email"),
        name=fields.text("name"),
        account_id=fields.metadata_text("account_id"),
        deleted=envelope.event_type == CUSTOMER_DELETED or fields.flag("deleted", default=False),
    )


def _livemode(envelope: Envelope, fields: ObjectFields) -> bool:
    if fields.flag("livemode") != envelope.livemode:
        raise FactInvalid("livemode of the event and of its object differ")
    return envelope.livemode


def _news(event_type: str, fact: CheckoutFact) -> PurchaseNews | None:
    """A session does not tell whether a delayed payment failed: only the type of the event does."""
    told = checkout_news(fact)
    return PurchaseNews.PAYMENT_FAILED if event_type == ASYNC_PAYMENT_FAILED and told is not PurchaseNews.PAID else told


_PARSERS: Final[Mapping[str, Callable[[Envelope], Fact]]] = MappingProxyType(
    {
        "checkout.session.completed": checkout_fact,
        "checkout.session.expired": checkout_fact,
        "checkout.session.async_payment_succeeded": checkout_fact,
        ASYNC_PAYMENT_FAILED: checkout_fact,
        "payment_intent.succeeded": payment_intent_fact,
        "payment_intent.payment_failed": payment_intent_fact,
        "payment_intent.canceled": payment_intent_fact,
        "charge.refunded": charge_fact,
        "refund.created": refund_fact,
        "refund.updated": refund_fact,
        "refund.failed": refund_fact,
        "customer.created": customer_fact,
        "customer.updated": customer_fact,
        CUSTOMER_DELETED: customer_fact,
    }
)

HANDLED_TYPES: Final = frozenset(_PARSERS)
"""Events that have an effect here; all others are kept and acknowledged."""
