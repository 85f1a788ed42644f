"""What payments say of their purchase, how one is bound to it, and what came for it too early."""

from functools import partial

from billing_service.commands.environment import Environment
from billing_service.commands.sale_terms import terms_of
from billing_service.domain.refusals import Failure, Refusal
from billing_service.domain.sales.purchases import Purchase, PurchaseSnapshot, check_intent
from billing_service.ledger.unit import Unit
from billing_service.storage.rows.events import InboxEvent, close_event, waiting_events
from billing_service.storage.rows.ledger import LostUpdateError
from billing_service.storage.rows.purchases import PURCHASES, claim_reference
from billing_service.storage.statements import Work
from billing_service.storage.store import ConflictError
from billing_service.stripe_events.disputes import DISPUTED
from billing_service.stripe_events.envelope import parse_envelope
from billing_service.stripe_events.facts import ChargeFact, DisputeFact, PaymentIntentFact, RefundFact, parse_fact
from billing_service.stripe_events.lookup import on_purchase, other_purchase
from billing_service.stripe_events.object_fields import FactInvalid
from billing_service.stripe_events.ownership import PurchaseKey
from billing_service.stripe_events.refunds import apply_charge, apply_refund
from billing_service.stripe_events.result import PROCESSED, PickedUp, Result, ignored, quarantined
from billing_service.stripe_events.runs import Runs, SpoiledError, UnansweredError


def handle_payment_intent(environment: Environment, key: PurchaseKey, fact: PaymentIntentFact) -> Work[Result]:
    """payment_intent.succeeded: notes that the money is there. It neither grants nor binds: which payment is the purchase's, the
    session says."""
    return (yield from on_purchase(environment, key, partial(_note_payment, environment, fact=fact)))


def _note_payment(environment: Environment, unit: Unit, purchase: Purchase, fact: PaymentIntentFact) -> Work[Result]:
    if (yield from other_purchase(fact.payment_intent_id, purchase)):
        return quarantined("the payment is another purchase's")
    mismatch = check_intent(
        snapshot_of(purchase),
        fact,
        promotion_codes_allowed=terms_of(environment, purchase).promotion_codes_allowed,
    )
    if mismatch is not None:
        return quarantined(str(mismatch))
    told_us = unit.now_us if fact.time_us is None else fact.time_us
    if purchase.payment_time_us is None or told_us < purchase.payment_time_us:
        purchase.payment_time_us = told_us
        yield from PURCHASES.replace(purchase)
    if purchase.payment_intent_id not in ("", fact.payment_intent_id):
        return quarantined("the purchase was paid by another payment as well")
    return PROCESSED


def snapshot_of(purchase: Purchase) -> PurchaseSnapshot:
    return PurchaseSnapshot(
        purchase.purchase_id, purchase.account_id, purchase.amount_minor, purchase.currency, purchase.checkout_session_id or None
    )


def bind_reference(reference: str, purchase: Purchase) -> Work[None]:
    """Binds a session or a payment that was found to be nobody else's. Runs the unit again when it became another purchase's meanwhile."""
    if not (yield from claim_reference(reference, purchase.account_id, purchase.purchase_id)):
        raise ConflictError("another purchase was bound to it meanwhile")


def link_payment(
    environment: Environment, unit: Unit, purchase: Purchase, payment_intent_id: str | None, runs: Runs
) -> Work[tuple[PickedUp, ...]]:
    """Binds a payment that is nobody else's, and gives the events that waited for it their effect. The caller writes the purchase."""
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
    try:
        fact = parse_fact(parse_envelope(event.payload))
    except FactInvalid as error:
        return quarantined(str(error))
    match fact:
        case RefundFact():
            return (yield from apply_refund(environment, unit, purchase, fact))
        case ChargeFact():
            return (yield from apply_charge(environment, unit, purchase, fact, runs))
        case DisputeFact():
            return DISPUTED
        case _:
            return ignored("nothing in it waits for a payment")
