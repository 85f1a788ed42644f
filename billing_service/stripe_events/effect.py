"""What an event does: it is read, found to be ours or not, and handed to its family's handler."""

from typing import Any, Final, NamedTuple

from billing_service.commands.environment import Environment
from billing_service.payments.objects.fields import ObjectInvalid
from billing_service.storage.rows.purchases import await_reference
from billing_service.storage.statements import Work
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.family import Family, NoEffect, Occasion
from billing_service.stripe_events.ownership import Claim, Owner, Whose
from billing_service.stripe_events.registry import BY_TYPE
from billing_service.stripe_events.result import Did, Result, ignored, quarantined, waiting
from billing_service.stripe_events.runs import Runs

_FOREIGN: Final = "the object is another product's or deployment's"
LOST_NOTE: Final = "the object carries our mark, and the ledger does not know it: was an older backup restored?"


class Readable(NamedTuple):
    """An event of a family, and its object."""

    family: Family[Any]
    object: Any
    occasion: Occasion


class Unreadable(NamedTuple):
    """An event whose object lacks what a rule needs."""

    family: Family[Any]
    note: str


def read_object(environment: Environment, envelope: Envelope) -> Readable | Unreadable | Result:
    """The event's object; a result where the event has no effect whosever its object is."""
    if envelope.is_connected:
        return ignored("about a connected account")
    family = BY_TYPE.get(envelope.event_type)
    if family is None:
        return ignored("a type that has no effect here")
    if envelope.livemode is not environment.terms.livemode:
        return quarantined(f"livemode is {envelope.livemode}, the service's is {environment.terms.livemode}")
    try:
        about = family.read(envelope)
    except ObjectInvalid as fault:
        return Unreadable(family, str(fault))
    return (
        ignored(about.note)
        if isinstance(about, NoEffect)
        else Readable(family, about, Occasion(envelope.event_type, envelope.created_us))
    )


def effect_of(
    environment: Environment, claim: Claim, event: Readable | Unreadable | Result, runs: Runs
) -> Work[Result]:
    """Applies the event to what is ours, and to nothing else."""
    if isinstance(event, Result):
        return event.about({"stripe_object_id": claim.stripe_id})
    owner = yield from event.family.owner(environment.deployment, claim)
    result = yield from _effect(environment, owner, claim, event, runs)
    return result.about(_subject(owner, claim))


def _subject(owner: Owner, claim: Claim) -> Did:
    """What of ours the event is about. An object that is not ours says nothing of ours that is to be believed."""
    account_id, purchase_id = owner.purchase or (owner.account_id, "")
    return {
        "account_id": account_id,
        "purchase_id": purchase_id,
        "payment_intent_id": claim.payment_intent_id,
        "stripe_object_id": claim.stripe_id,
    }


def _effect(
    environment: Environment, owner: Owner, claim: Claim, event: Readable | Unreadable, runs: Runs
) -> Work[Result]:
    if owner.whose is Whose.FOREIGN:
        return ignored(_FOREIGN)
    if owner.whose is Whose.LOST:
        return quarantined(LOST_NOTE) if _moves_money(event) else ignored(LOST_NOTE)
    if isinstance(event, Unreadable):
        return (yield from _unreadable(owner, claim, event))
    return (yield from event.family.handle(environment, owner, event.object, event.occasion, runs))


def _moves_money(event: Readable | Unreadable) -> bool:
    """Whether it says that money of ours came or went, or can't be read."""
    return isinstance(event, Unreadable) or event.family.moves_money(event.object, event.occasion)


def _unreadable(owner: Owner, claim: Claim, event: Unreadable) -> Work[Result]:
    """Ours is kept for a person. What may yet turn out to be ours waits like any other, and is kept for a person
    then."""
    if owner.whose is Whose.UNDECIDED and (yield from await_reference(claim.payment_intent_id)) is None:
        return waiting(claim.payment_intent_id)
    return quarantined(event.note)
