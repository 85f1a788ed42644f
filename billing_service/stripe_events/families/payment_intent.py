"""payment_intent.*: money is there. Which payment is a purchase's, the session says."""

from functools import partial
from typing import Final

from billing_service.commands.environment import Environment
from billing_service.commands.sale_terms import terms_of
from billing_service.domain.sales.purchases import Purchase, check_intent
from billing_service.ledger.unit import Unit
from billing_service.payments.objects.payment_intent import KIND, PaymentIntent, read_payment_intent
from billing_service.storage.statements import Work
from billing_service.stripe_events import ownership
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.family import Family, NoEffect, Occasion, same_mode
from billing_service.stripe_events.lookup import on_purchase, other_purchase, snapshot_of
from billing_service.stripe_events.ownership import Owner
from billing_service.stripe_events.result import PROCESSED, Result, quarantined
from billing_service.stripe_events.runs import Runs

SUCCEEDED: Final = "payment_intent.succeeded"


def read(envelope: Envelope) -> PaymentIntent | NoEffect:
    """A customer whose card was declined may try again on the same page, and a page that was closed cancels its
    payment."""
    if envelope.event_type != SUCCEEDED:
        return NoEffect("a payment that did not succeed: its checkout says what becomes of the purchase")
    intent = read_payment_intent(envelope.object)
    intent.check("livemode")
    same_mode(envelope, intent.livemode)
    intent.require("payment_intent_id", "amount_minor", "currency")
    return intent


def handle(
    environment: Environment, owner: Owner, intent: PaymentIntent, occasion: Occasion, _runs: Runs
) -> Work[Result]:
    """Notes that the money of a payment that succeeded is there. It neither grants nor binds."""
    return (
        yield from on_purchase(
            environment, owner.of_purchase(), partial(_note, environment, intent=intent, time_us=occasion.time_us)
        )
    )


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
    succeeded_us = unit.now_us if time_us is None else time_us
    if purchase.payment_time_us is None or succeeded_us < purchase.payment_time_us:
        purchase.payment_time_us = succeeded_us
        unit.change(purchase)
    if purchase.payment_intent_id not in ("", intent.payment_intent_id):
        return quarantined("the purchase was paid by another payment as well")
    return PROCESSED


FAMILY: Final = Family(
    KIND, (SUCCEEDED, "payment_intent.payment_failed", "payment_intent.canceled"), read, ownership.of_payment, handle
)
