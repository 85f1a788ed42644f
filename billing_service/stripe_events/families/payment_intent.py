"""payment_intent.*: money is there, is on its way, or did not come.

Which payment is a checkout's, its session says: such a payment only notes its success here. A payment that a purchase
asked for itself decides what becomes of the purchase. Its events come in any order, so all but the last of its states
are asked for: what counts is how the payment stands now.
"""

from functools import partial
from typing import Final

from billing_service.commands.environment import Environment
from billing_service.commands.sale_terms import terms_of
from billing_service.commands.sales.completion import apply_update
from billing_service.domain.sales.asked_payments import SUCCEEDED as SUCCEEDED_STATUS
from billing_service.domain.sales.asked_payments import check_asked_payment, payment_update
from billing_service.domain.sales.purchases import Purchase, PurchaseStatus, PurchaseUpdate, check_intent
from billing_service.ledger.unit import Unit
from billing_service.payments.objects.payment_intent import KIND, PaymentIntent, is_asked_for, read_payment_intent
from billing_service.storage.statements import Work
from billing_service.stripe_events import ownership
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.family import Family, NoEffect, Occasion, same_mode
from billing_service.stripe_events.lookup import bind_reference, on_purchase, other_purchase, snapshot_of
from billing_service.stripe_events.ownership import Owner
from billing_service.stripe_events.result import PROCESSED, PickedUp, Result, ignored, quarantined
from billing_service.stripe_events.runs import Runs
from billing_service.stripe_events.waiting import link_payment

SUCCEEDED: Final = "payment_intent.succeeded"
PROCESSING: Final = "payment_intent.processing"
PAYMENT_FAILED: Final = "payment_intent.payment_failed"
CANCELED: Final = "payment_intent.canceled"
FINAL: Final = frozenset({SUCCEEDED_STATUS, "canceled"})
"""Statuses that a payment never leaves."""
MONEY_UPDATES: Final = frozenset({PurchaseUpdate.PAID, PurchaseUpdate.FUNDS_PROMISED})


def read(envelope: Envelope) -> PaymentIntent | NoEffect:
    """A customer whose card was declined may try again on the same page, and a page that was closed cancels its
    payment."""
    if envelope.event_type != SUCCEEDED and not is_asked_for(envelope.object):
        return NoEffect("a payment that did not succeed: its checkout says what becomes of the purchase")
    intent = read_payment_intent(envelope.object)
    intent.check("livemode")
    same_mode(envelope, intent.livemode)
    intent.require("payment_intent_id", "amount_minor", "currency")
    return intent


def handle(
    environment: Environment, owner: Owner, intent: PaymentIntent, occasion: Occasion, runs: Runs
) -> Work[Result]:
    """Notes that the money of a checkout's payment is there, which neither grants nor binds. A payment that a purchase
    asked for completes it."""
    effect = partial(_apply, environment, intent=intent, occasion=occasion, runs=runs)
    return (yield from on_purchase(environment, owner.of_purchase(), effect))


def _apply(
    environment: Environment,
    unit: Unit,
    purchase: Purchase,
    *,
    intent: PaymentIntent,
    occasion: Occasion,
    runs: Runs,
) -> Work[Result]:
    if terms_of(environment, purchase).pays_by_intent:
        return (yield from _follow(environment, unit, purchase, intent, occasion.time_us, runs=runs))
    if occasion.event_type != SUCCEEDED and intent.status != SUCCEEDED_STATUS:
        return ignored("a checkout's payment that did not succeed")
    return (yield from _note(environment, unit, purchase, intent, occasion.time_us))


def _follow(
    environment: Environment,
    unit: Unit,
    purchase: Purchase,
    told: PaymentIntent,
    time_us: int | None,
    *,
    runs: Runs,
) -> Work[Result]:
    """Moves a purchase by its own payment."""
    intent = told if told.status in FINAL else runs.payment(told.payment_intent_id)
    was_promised = told.status == "processing" or purchase.status is PurchaseStatus.AWAITING_FUNDS
    update = payment_update(intent.status, has_failed=intent.has_failed, was_promised=was_promised)
    if (yield from other_purchase(intent.payment_intent_id, purchase)):
        return quarantined("the payment is another purchase's")
    if update is None:
        return ignored("the customer may still pay")
    if update is PurchaseUpdate.PAID:
        mismatch = check_asked_payment(
            snapshot_of(purchase), intent, livemode=intent.livemode, livemode_expected=environment.terms.livemode
        )
        if mismatch is not None:
            return quarantined(str(mismatch))
        if purchase.status is PurchaseStatus.COMPLETED and purchase.payment_intent_id != intent.payment_intent_id:
            return quarantined("the purchase was paid by another payment as well")
        _note_time(unit, purchase, time_us)
    elif purchase.payment_intent_id not in ("", intent.payment_intent_id):
        return ignored("another payment than the purchase's")
    before = purchase.status
    picked_up: tuple[PickedUp, ...] = ()
    if update in MONEY_UPDATES:
        picked_up = yield from link_payment(environment, unit, purchase, intent.payment_intent_id, runs)
        yield from bind_reference(intent.payment_intent_id, purchase)
    paid_minor = intent.amount_minor or 0
    yield from apply_update(environment, unit, purchase, update, paid_minor=paid_minor, net_paid_minor=paid_minor)
    result = PROCESSED._replace(picked_up=picked_up)
    if purchase.status is before or purchase.status is not PurchaseStatus.COMPLETED:
        return result
    completed_after_us = unit.now_us - purchase.create_time_us
    return result._replace(completed_after_us=completed_after_us).about({"granted_microcredits": purchase.credits})


def _note_time(unit: Unit, purchase: Purchase, time_us: int | None) -> None:
    """When the payment succeeded, by the earliest word of it."""
    succeeded_us = unit.now_us if time_us is None else time_us
    if purchase.payment_time_us is None or succeeded_us < purchase.payment_time_us:
        purchase.payment_time_us = succeeded_us
        unit.change(purchase)


def _note(
    environment: Environment, unit: Unit, purchase: Purchase, intent: PaymentIntent, time_us: int | None
) -> Work[Result]:
    if (yield from other_purchase(intent.payment_intent_id, purchase)):
        return quarantined("the payment is another purchase's")
    mismatch = check_intent(
        snapshot_of(purchase),
        intent,
        promotion_codes_allowed=terms_of(environment, purchase).promotion_codes_allowed,
    )
    if mismatch is not None:
        return quarantined(str(mismatch))
    _note_time(unit, purchase, time_us)
    if purchase.payment_intent_id not in ("", intent.payment_intent_id):
        return quarantined("the purchase was paid by another payment as well")
    return PROCESSED


def _moves_money(intent: PaymentIntent, occasion: Occasion) -> bool:
    return occasion.event_type in ("", SUCCEEDED) or intent.status == SUCCEEDED_STATUS


FAMILY: Final = Family(
    KIND, (SUCCEEDED, PROCESSING, PAYMENT_FAILED, CANCELED), read, ownership.of_payment, handle, _moves_money
)
