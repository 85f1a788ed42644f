"""What an event says, as plain values: one fact per family of events. Pure; the only exception is FactInvalid.

A fact holds what a rule needs, and nothing else of the object is looked at: a field that nobody needs must not refuse a payment.
Money is a whole number of the currency's smallest unit. Statuses are Stripe's own words. Ids of ours are what the object's metadata
names: `ownership` says whether to believe them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from billing_service.domain.deployment import MARK_FIELD
from billing_service.domain.sales.purchases import PurchaseUpdate, checkout_update
from billing_service.payments.port import ProviderRefund
from billing_service.stripe_events.customer_facts import CUSTOMER_CREATED, CUSTOMER_DELETED, CustomerFact, customer_fact
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.object_fields import FactInvalid, ObjectFields

CHECKOUT_EXPIRED: Final = "checkout.session.expired"
ASYNC_PAYMENT_FAILED: Final = "checkout.session.async_payment_failed"
FRAUD_WARNING: Final = "radar.early_fraud_warning"

MONEY_UPDATES: Final = frozenset({PurchaseUpdate.PAID, PurchaseUpdate.FUNDS_PROMISED})
"""What a checkout says of money. Only for these are its amounts looked at."""
_SESSION_STATUSES: Final = frozenset({"open", "complete", "expired"})
_PAYMENT_STATUSES: Final = frozenset({"paid", "unpaid", "no_payment_required"})


@dataclass(frozen=True, slots=True)
class NoFact:
    """The event is of a handled type, and no rule needs it."""

    note: str


@dataclass(frozen=True, slots=True)
class CheckoutFact:
    """A Checkout Session at the moment of the event; fits `domain.sales.purchases.CheckoutReport`.

    Amounts and currency are None, and discount, tax and shipping 0, where `update` is not of money.
    """

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
    amount_subtotal_minor: int | None
    amount_total_minor: int | None
    amount_discount_minor: int
    amount_tax_minor: int
    amount_shipping_minor: int
    currency: str | None
    livemode: bool
    update: PurchaseUpdate | None
    """What it means for the purchase; None while the customer has not finished."""


@dataclass(frozen=True, slots=True)
class PaymentIntentFact:
    """A payment of a purchase succeeded. It never grants: the session's event does."""

    payment_intent_id: str
    purchase_id: str | None
    account_id: str | None
    amount_minor: int
    currency: str
    time_us: int | None
    """When Stripe said so; None where the event has no time."""


@dataclass(frozen=True, slots=True)
class RefundFact:
    """One refund. Refunds begun in the Dashboard name nothing of ours: find their purchase by the payment."""

    payment_intent_id: str
    sent: ProviderRefund | None
    """None where the object says nothing usable; `fault` says why. It matters only once a purchase knows the payment."""
    fault: str


@dataclass(frozen=True, slots=True)
class ChargeFact:
    """Something went back of a payment, as `charge.refunded` reports it. Its amount is cumulative over all refunds, of
    which some may have failed since: no amount to take, and none to compare with what is known."""

    payment_intent_id: str


@dataclass(frozen=True, slots=True)
class DisputeFact:
    """A dispute of a payment, or a warning of one."""

    payment_intent_id: str


Fact = NoFact | CheckoutFact | PaymentIntentFact | RefundFact | ChargeFact | DisputeFact | CustomerFact


def parse_fact(envelope: Envelope) -> Fact | None:
    """The fact that the event reports; None for a type that is not handled. Raises FactInvalid."""
    parse = _PARSERS.get(envelope.event_type)
    return None if parse is None else parse(envelope)


def checkout_fact(envelope: Envelope) -> Fact:
    fields = ObjectFields(envelope.object, "checkout.session")
    mode = fields.optional_word("mode") or ""
    if mode not in ("", "payment"):
        return NoFact(f"a checkout in mode {mode} sells no credits here")
    in_metadata, in_reference = fields.metadata_text("purchase_id"), fields.own_text("client_reference_id")
    status = _known(fields, "status", _SESSION_STATUSES) or ("expired" if envelope.event_type == CHECKOUT_EXPIRED else "complete")
    fact = CheckoutFact(
        session_id=fields.word("id"),
        purchase_id=in_metadata if in_metadata == in_reference else None,
        note="" if in_metadata == in_reference else "metadata.purchase_id and client_reference_id disagree",
        account_id=fields.metadata_text("account_id"),
        mode=mode,
        status=status,
        payment_status=_payment_status(envelope.event_type, fields) if status == "complete" else "unpaid",
        payment_intent_id=None,
        amount_subtotal_minor=None,
        amount_total_minor=None,
        amount_discount_minor=0,
        amount_tax_minor=0,
        amount_shipping_minor=0,
        currency=None,
        livemode=_livemode(envelope, fields),
        update=None,
    )
    fact = replace(fact, update=_update(envelope.event_type, fact))
    if fact.update not in MONEY_UPDATES:
        return fact
    return replace(
        fact,
        payment_intent_id=fields.reference("payment_intent"),
        amount_subtotal_minor=fields.optional_amount("amount_subtotal"),
        amount_total_minor=fields.optional_amount("amount_total"),
        amount_discount_minor=fields.part_amount("total_details", "amount_discount"),
        amount_tax_minor=fields.part_amount("total_details", "amount_tax"),
        amount_shipping_minor=fields.part_amount("total_details", "amount_shipping"),
        currency=fields.optional_currency(),
    )


def payment_intent_fact(envelope: Envelope) -> Fact:
    fields = ObjectFields(envelope.object, "payment_intent")
    _livemode(envelope, fields)
    received = fields.optional_amount("amount_received")
    return PaymentIntentFact(
        payment_intent_id=fields.word("id"),
        purchase_id=fields.metadata_text("purchase_id"),
        account_id=fields.metadata_text("account_id"),
        amount_minor=fields.amount("amount") if received is None else received,
        currency=fields.currency(),
        time_us=envelope.created_us,
    )


def attempt_fact(_envelope: Envelope) -> Fact:
    """A customer whose card was declined may try again on the same page, and a page that was closed cancels its payment."""
    return NoFact("a payment that did not succeed: its checkout says what becomes of the purchase")


def refund_fact(envelope: Envelope) -> Fact:
    fields = ObjectFields(envelope.object, "refund")
    payment_intent_id = fields.reference("payment_intent")
    if payment_intent_id is None:
        return NoFact("the refund belongs to no payment intent")
    try:
        sent, fault = _refund(fields, payment_intent_id), ""
    except FactInvalid as error:
        sent, fault = None, str(error)
    return RefundFact(payment_intent_id, sent, fault)


def charge_fact(envelope: Envelope) -> Fact:
    payment_intent_id = ObjectFields(envelope.object, "charge").reference("payment_intent")
    return NoFact("the charge belongs to no payment intent") if payment_intent_id is None else ChargeFact(payment_intent_id)


def dispute_fact(envelope: Envelope) -> Fact:
    kind = FRAUD_WARNING if envelope.event_type.startswith(FRAUD_WARNING) else "dispute"
    payment_intent_id = ObjectFields(envelope.object, kind).reference("payment_intent")
    return NoFact("it belongs to no payment intent") if payment_intent_id is None else DisputeFact(payment_intent_id)


def _refund(fields: ObjectFields, payment_intent_id: str) -> ProviderRefund:
    return ProviderRefund(
        stripe_refund_id=fields.word("id"),
        status=fields.optional_word("status") or "",
        amount_minor=fields.amount("amount"),
        currency=fields.currency(),
        payment_intent_id=payment_intent_id,
        charge_id=None,
        refund_id=fields.metadata_text("refund_id"),
        purchase_id=fields.metadata_text("purchase_id"),
        mark=fields.metadata_text(MARK_FIELD) or "",
    )


def _livemode(envelope: Envelope, fields: ObjectFields) -> bool:
    """The object's own mode, which is the event's. Objects of some old versions have none."""
    livemode = envelope.livemode is True
    if fields.flag("livemode") not in (None, livemode):
        raise FactInvalid("livemode of the event and of its object differ")
    return livemode


def _payment_status(event_type: str, fields: ObjectFields) -> str:
    if event_type == ASYNC_PAYMENT_FAILED:  # whatever else it may say
        return "paid" if fields.is_word("payment_status", "paid") else "unpaid"
    status = _known(fields, "payment_status", _PAYMENT_STATUSES)
    if status is None:
        raise FactInvalid("payment_status is missing")
    return status


def _known(fields: ObjectFields, name: str, words: frozenset[str]) -> str | None:
    """One of Stripe's words that has a meaning here; None where absent."""
    word = fields.optional_word(name)
    if word is not None and word not in words:
        raise FactInvalid(f"checkout.session.{name} is a word that is not known")
    return word


def _update(event_type: str, fact: CheckoutFact) -> PurchaseUpdate | None:
    """A session does not show that a delayed payment failed: only the type of the event does."""
    told = checkout_update(fact)
    return PurchaseUpdate.PAYMENT_FAILED if event_type == ASYNC_PAYMENT_FAILED and told is not PurchaseUpdate.PAID else told


_PARSERS: Final[Mapping[str, Callable[[Envelope], Fact]]] = MappingProxyType(
    {
        "checkout.session.completed": checkout_fact,
        CHECKOUT_EXPIRED: checkout_fact,
        "checkout.session.async_payment_succeeded": checkout_fact,
        ASYNC_PAYMENT_FAILED: checkout_fact,
        "payment_intent.succeeded": payment_intent_fact,
        "payment_intent.payment_failed": attempt_fact,
        "payment_intent.canceled": attempt_fact,
        "charge.refunded": charge_fact,
        "charge.refund.updated": refund_fact,
        "refund.created": refund_fact,
        "refund.updated": refund_fact,
        "refund.failed": refund_fact,
        "charge.dispute.created": dispute_fact,
        "charge.dispute.updated": dispute_fact,
        "charge.dispute.funds_withdrawn": dispute_fact,
        "charge.dispute.funds_reinstated": dispute_fact,
        "charge.dispute.closed": dispute_fact,
        "radar.early_fraud_warning.created": dispute_fact,
        CUSTOMER_CREATED: customer_fact,
        "customer.updated": customer_fact,
        CUSTOMER_DELETED: customer_fact,
    }
)

HANDLED_TYPES: Final = frozenset(_PARSERS)
"""Events that have an effect here; all others are kept and acknowledged."""
