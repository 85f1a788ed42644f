"""What an event does: it is read, found to be ours or not, and handed to its family's handler."""

from typing import Final, NamedTuple

from billing_service.commands.environment import Environment
from billing_service.domain.sales.purchases import PurchaseUpdate
from billing_service.storage.rows.purchases import await_reference
from billing_service.storage.statements import Work
from billing_service.stripe_events.checkouts import handle_checkout
from billing_service.stripe_events.customer_facts import CustomerFact
from billing_service.stripe_events.customers import handle_customer
from billing_service.stripe_events.disputes import handle_dispute
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.facts import (
    HANDLED_TYPES,
    ChargeFact,
    CheckoutFact,
    DisputeFact,
    Fact,
    NoFact,
    PaymentIntentFact,
    RefundFact,
    parse_fact,
)
from billing_service.stripe_events.object_fields import FactInvalid
from billing_service.stripe_events.ownership import Claim, Owner, Whose, owner_of
from billing_service.stripe_events.payments import handle_payment_intent
from billing_service.stripe_events.refunds import handle_charge, handle_refund
from billing_service.stripe_events.result import Did, Result, ignored, quarantined, waiting
from billing_service.stripe_events.runs import Runs

_FOREIGN: Final = "the object is another product's or deployment's"
_LOST: Final = "the object carries our mark, and the ledger does not know it: was an older backup restored?"


class Unreadable(NamedTuple):
    """An event whose object lacks what a rule needs."""

    note: str


def read_fact(environment: Environment, envelope: Envelope) -> Fact | Unreadable | Result:
    """What the event says; a result where it has no effect whosever its object is."""
    if envelope.is_connected:
        return ignored("about a connected account")
    if envelope.event_type not in HANDLED_TYPES:
        return ignored("a type that has no effect here")
    if envelope.livemode is not environment.terms.livemode:
        return quarantined(f"livemode is {envelope.livemode}, the service's is {environment.terms.livemode}")
    try:
        fact = parse_fact(envelope)
    except FactInvalid as error:
        return Unreadable(str(error))
    assert fact is not None, "every handled type is read"
    return ignored(fact.note) if isinstance(fact, NoFact) else fact


def effect_of(environment: Environment, claim: Claim, fact: Fact | Unreadable | Result, runs: Runs) -> Work[Result]:
    """Applies the event to what is ours, and to nothing else."""
    if isinstance(fact, Result):
        return fact.about({"stripe_object_id": claim.stripe_id})
    owner = yield from owner_of(environment.deployment, claim)
    result = yield from _effect(environment, owner, claim, fact, runs)
    return result.about(_told(owner, claim))


def _told(owner: Owner, claim: Claim) -> Did:
    """What of ours the event is about. An object that is not ours says nothing of ours that is to be believed."""
    account_id, purchase_id = owner.purchase or (owner.account_id, "")
    return {
        "account_id": account_id,
        "purchase_id": purchase_id,
        "payment_intent_id": claim.payment_intent_id,
        "stripe_object_id": claim.stripe_id,
    }


def _effect(environment: Environment, owner: Owner, claim: Claim, fact: Fact | Unreadable, runs: Runs) -> Work[Result]:
    if owner.whose is Whose.FOREIGN:
        return ignored(_FOREIGN)
    if owner.whose is Whose.LOST:
        return quarantined(_LOST) if _money_moved(fact) else ignored(_LOST)
    if isinstance(fact, Unreadable):
        return (yield from _unreadable(owner, claim, fact))
    return (yield from _handle(environment, owner, fact, runs))


def _money_moved(fact: Fact | Unreadable) -> bool:
    """Whether it says that money of ours came or went, or can't be read."""
    match fact:
        case CheckoutFact():
            return fact.update is PurchaseUpdate.PAID
        case CustomerFact():
            return False
        case _:
            return True


def _unreadable(owner: Owner, claim: Claim, fact: Unreadable) -> Work[Result]:
    """Ours is kept for a person. What may yet turn out to be ours waits like any other, and is kept for a person then."""
    if owner.whose is Whose.UNDECIDED and (yield from await_reference(claim.payment_intent_id)) is None:
        return waiting(claim.payment_intent_id)
    return quarantined(fact.note)


def _handle(environment: Environment, owner: Owner, fact: Fact, runs: Runs) -> Work[Result]:
    match fact:
        case CheckoutFact():
            return (yield from handle_checkout(environment, owner.of_purchase(), fact, runs))
        case PaymentIntentFact():
            return (yield from handle_payment_intent(environment, owner.of_purchase(), fact))
        case RefundFact():
            return (yield from handle_refund(environment, fact))
        case ChargeFact():
            return (yield from handle_charge(environment, fact, runs))
        case DisputeFact():
            return (yield from handle_dispute(environment, fact))
        case CustomerFact():
            return (yield from handle_customer(environment, owner.account_id, fact, runs))
        case NoFact():
            return ignored(fact.note)
