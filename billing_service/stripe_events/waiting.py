"""How a payment is bound to its purchase, and what came for it too early."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from billing_service.commands.environment import Environment
from billing_service.domain.inbox import InboxEvent
from billing_service.domain.refusals import Failure, Refusal
from billing_service.domain.sales.purchases import Purchase
from billing_service.ledger.unit import Unit
from billing_service.payments.objects.fields import ObjectInvalid
from billing_service.storage.rows.events import close_event, waiting_events
from billing_service.storage.rows.ledger import LostUpdateError
from billing_service.storage.statements import Work
from billing_service.storage.store import ConflictError
from billing_service.stripe_events.envelope import parse_envelope
from billing_service.stripe_events.families import charge, dispute, early_fraud_warning, refund
from billing_service.stripe_events.family import Family, NoEffect
from billing_service.stripe_events.lookup import bind_reference
from billing_service.stripe_events.result import PickedUp, Result, ignored, quarantined
from billing_service.stripe_events.runs import Runs, SpoiledError, UnansweredError

WAITING: Final[tuple[Family[Any], ...]] = (charge.FAMILY, refund.FAMILY, dispute.FAMILY, early_fraud_warning.FAMILY)
"""Families whose objects only their payment binds to a purchase."""
BY_TYPE: Final[Mapping[str, Family[Any]]] = MappingProxyType(
    {each: family for family in WAITING for each in family.types}
)


def link_payment(
    environment: Environment, unit: Unit, purchase: Purchase, payment_intent_id: str | None, runs: Runs
) -> Work[tuple[PickedUp, ...]]:
    """Binds a payment that is nobody else's, and gives the events that waited for it their effect. The caller writes
    the purchase."""
    if not payment_intent_id or purchase.payment_intent_id == payment_intent_id:
        return ()
    purchase.payment_intent_id = payment_intent_id
    yield from bind_reference(payment_intent_id, purchase)
    picked = []
    for event in (yield from waiting_events(payment_intent_id)):
        result = yield from _picked_up(environment, unit, purchase, event, runs)
        yield from close_event(event.event_id, result.status, unit.now_us, error=result.note)
        picked.append(PickedUp(event.event_id, event.event_type, result.status, result.note, result.did))
    return tuple(picked)


def _picked_up(environment: Environment, unit: Unit, purchase: Purchase, event: InboxEvent, runs: Runs) -> Work[Result]:
    if event.event_id in runs.spoiled:
        return quarantined(runs.spoiled[event.event_id])
    try:
        return (yield from _effect(environment, unit, purchase, event, runs))
    except (UnansweredError, ConflictError, Failure, LostUpdateError):
        raise  # not the event's fault
    except Refusal as refusal:
        raise SpoiledError(event.event_id, f"{refusal.reason}: {refusal.message}") from refusal
    except Exception as defect:
        raise SpoiledError(event.event_id, type(defect).__name__) from defect


def _effect(environment: Environment, unit: Unit, purchase: Purchase, event: InboxEvent, runs: Runs) -> Work[Result]:
    family = BY_TYPE.get(event.event_type)
    try:
        about = None if family is None else family.read(parse_envelope(event.payload))
    except ObjectInvalid as fault:
        return quarantined(str(fault))
    if family is None or family.apply is None or isinstance(about, NoEffect):
        return ignored("nothing in it waits for a payment")
    return (yield from family.apply(environment, unit, purchase, about, runs))
