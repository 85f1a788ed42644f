"""What an event does: it is read, found to be ours or not, and handed to its family's handler."""

from typing import Final, NamedTuple

from billing_service.commands.environment import Environment
from billing_service.commands.refund_news import RefundNews, UnknownRefundStatusError, status_from_stripe
from billing_service.domain.purchases import PurchaseNews
from billing_service.storage.purchase_rows import await_reference
from billing_service.storage.statements import Work
from billing_service.stripe_events.checkouts import handle_checkout
from billing_service.stripe_events.customers import handle_customer
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.facts import (
    ChargeFact,
    CheckoutFact,
    CustomerFact,
    Fact,
    PaymentIntentFact,
    RefundFact,
    parse_fact,
)
from billing_service.stripe_events.object_fields import FactInvalid
from billing_service.stripe_events.ownership import Claim, Owner, Whose, owner_of
from billing_service.stripe_events.payments import handle_payment_intent
from billing_service.stripe_events.refunds import handle_charge, handle_refund
from billing_service.stripe_events.verdict import Verdict, ignored, quarantined, waiting

_FOREIGN: Final = "the object is another product's or deployment's"
_LOST: Final = "the object carries our mark, and the ledger does not know it: was an older backup restored?"


class Unreadable(NamedTuple):
    """An event whose object is not what its type promises."""

    note: str


def read_fact(environment: Environment, envelope: Envelope) -> Fact | Unreadable | Verdict:
    """What the event says; a verdict where it has no effect whosever its object is."""
    if envelope.connected_account is not None:
        return ignored("about a connected account")
    if envelope.livemode != environment.terms.livemode:
        return quarantined(f"livemode is {envelope.livemode}, the service's is {environment.terms.livemode}")
    try:
        fact = parse_fact(envelope)
        if isinstance(fact, RefundFact):
            status_from_stripe(fact.status)
    except (FactInvalid, UnknownRefundStatusError) as error:
        return Unreadable(str(error))
    return ignored("a type that has no effect here") if fact is None else fact


def effect_of(environment: Environment, claim: Claim, fact: Fact | Unreadable | Verdict, refunds: list[RefundNews] | None) -> Work[Verdict]:
    """Applies the event to what is ours, and to nothing else. `refunds` is Stripe's own list, where it was asked for."""
    if isinstance(fact, Verdict):
        return fact
    owner = yield from owner_of(environment.deployment, claim)
    if owner.whose is Whose.FOREIGN:
        return ignored(_FOREIGN)
    if owner.whose is Whose.LOST:
        return quarantined(_LOST) if _money_moved(fact) else ignored(_LOST)
    if isinstance(fact, Unreadable):
        return (yield from _unreadable(owner, claim, fact))
    return (yield from _handle(environment, owner, fact, refunds))


def _money_moved(fact: Fact | Unreadable) -> bool:
    """Whether it says that money of ours came or went, or can't be read."""
    match fact:
        case CheckoutFact():
            return fact.news is PurchaseNews.PAID
        case PaymentIntentFact():
            return fact.status == "succeeded"
        case CustomerFact():
            return False
        case _:
            return True


def _unreadable(owner: Owner, claim: Claim, fact: Unreadable) -> Work[Verdict]:
    """Ours is kept for a person. What may yet turn out to be ours waits like any other, and is kept for a person then."""
    if owner.whose is Whose.UNDECIDED and (yield from await_reference(claim.payment_intent_id)) is None:
        return waiting(claim.payment_intent_id)
    return quarantined(fact.note)


def _handle(environment: Environment, owner: Owner, fact: Fact, refunds: list[RefundNews] | None) -> Work[Verdict]:
    match fact:
        case CheckoutFact():
            return (yield from handle_checkout(environment, owner.of_purchase(), fact, refunds))
        case PaymentIntentFact():
            return (yield from handle_payment_intent(environment, owner.of_purchase(), fact, refunds))
        case RefundFact():
            return (yield from handle_refund(environment, fact))
        case ChargeFact():
            return (yield from handle_charge(environment, fact, refunds))
        case CustomerFact():
            return (yield from handle_customer(environment, owner.account_id, fact))
