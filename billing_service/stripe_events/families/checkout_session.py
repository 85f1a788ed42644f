"""checkout.session.*: where purchases are completed, promised, failed and expired."""

from dataclasses import replace
from functools import partial
from typing import Final

from billing_service.commands.environment import Environment
from billing_service.commands.sale_terms import terms_of
from billing_service.commands.sales.completion import apply_update
from billing_service.domain.sales.purchases import (
    Purchase,
    PurchaseStatus,
    PurchaseUpdate,
    check_payment,
    checkout_update,
    paid_for_credits_minor,
)
from billing_service.ledger.unit import Unit
from billing_service.payments.objects.checkout_session import KIND, MONEY, CheckoutSession, read_checkout_session
from billing_service.payments.objects.fields import ObjectInvalid
from billing_service.storage.statements import Work
from billing_service.stripe_events import ownership
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.family import Family, NoEffect, Occasion, same_mode
from billing_service.stripe_events.lookup import bind_reference, on_purchase, other_purchase, snapshot_of
from billing_service.stripe_events.ownership import Owner
from billing_service.stripe_events.result import PROCESSED, PickedUp, Result, ignored, quarantined
from billing_service.stripe_events.runs import Runs
from billing_service.stripe_events.waiting import link_payment

COMPLETED: Final = "checkout.session.completed"
EXPIRED: Final = "checkout.session.expired"
ASYNC_PAYMENT_SUCCEEDED: Final = "checkout.session.async_payment_succeeded"
ASYNC_PAYMENT_FAILED: Final = "checkout.session.async_payment_failed"

MONEY_UPDATES: Final = frozenset({PurchaseUpdate.PAID, PurchaseUpdate.FUNDS_PROMISED})
"""What a session says of money. Only for these are its amounts looked at."""
_STATUSES: Final = frozenset({"open", "complete", "expired"})
_PAYMENT_STATUSES: Final = frozenset({"paid", "unpaid", "no_payment_required"})


def read(envelope: Envelope) -> CheckoutSession | NoEffect:
    """The session, its status that of the event where an old version has none."""
    session = read_checkout_session(envelope.object)
    session.check("mode", "status", "livemode")
    if session.mode not in ("", "payment"):
        return NoEffect(f"a checkout in mode {session.mode} sells no credits here")
    session.require("session_id")
    status = session.status or ("expired" if envelope.event_type == EXPIRED else "complete")
    session = replace(session, status=status, livemode=same_mode(envelope, session.livemode))
    if envelope.event_type == ASYNC_PAYMENT_FAILED and session.payment_status != "paid":
        session = replace(session, payment_status="unpaid")  # whatever else it may say
    update_of(session, envelope.event_type)
    return session


def update_of(session: CheckoutSession, event_type: str) -> PurchaseUpdate | None:
    """What a session means for its purchase; None while the customer has not finished. Raises ObjectInvalid.

    A session does not show that a delayed payment failed: only the type of the event does.
    """
    if session.status not in _STATUSES:
        raise ObjectInvalid("checkout.session.status is a word that is not known")
    if session.status == "complete" and session.payment_status not in _PAYMENT_STATUSES:
        raise ObjectInvalid("checkout.session.payment_status is no word that is known")
    update = checkout_update(session)
    if event_type == ASYNC_PAYMENT_FAILED and update is not PurchaseUpdate.PAID:
        update = PurchaseUpdate.PAYMENT_FAILED
    if update in MONEY_UPDATES:
        session.check(*MONEY)
    return update


def handle(
    environment: Environment, owner: Owner, session: CheckoutSession, occasion: Occasion, runs: Runs
) -> Work[Result]:
    """Completes a purchase when the session is paid and is the one that was sold. Only a session with money in it is
    bound, and with it its payment: whatever came before, it is the authority."""
    try:
        session.check("purchase_id")
        update = update_of(session, occasion.event_type)
    except ObjectInvalid as fault:
        return quarantined(str(fault))
    return (
        yield from on_purchase(
            environment, owner.of_purchase(), partial(_apply, environment, session=session, update=update, runs=runs)
        )
    )


def _moves_money(session: CheckoutSession, occasion: Occasion) -> bool:
    return update_of(session, occasion.event_type) is PurchaseUpdate.PAID


def _apply(
    environment: Environment,
    unit: Unit,
    purchase: Purchase,
    *,
    session: CheckoutSession,
    update: PurchaseUpdate | None,
    runs: Runs,
) -> Work[Result]:
    if update is None:
        return ignored("the customer has not finished")
    has_money = update in MONEY_UPDATES
    payment_intent_id = session.payment_intent_id if has_money else None
    objection = yield from _objection(environment, purchase, session, payment_intent_id, has_money=has_money)
    if objection is not None:
        return objection
    before = purchase.status
    picked_up: tuple[PickedUp, ...] = ()
    yield from bind_reference(session.session_id, purchase)
    if has_money:
        purchase.checkout_session_id = session.session_id
        picked_up = yield from link_payment(environment, unit, purchase, payment_intent_id, runs)
    paid_minor = session.amount_total_minor or 0
    yield from apply_update(
        environment, unit, purchase, update, paid_minor=paid_minor, net_paid_minor=paid_for_credits_minor(session)
    )
    result = PROCESSED._replace(picked_up=picked_up).about(
        {"picked_up": " ".join(event.event_id for event in picked_up)}
    )
    if purchase.status is before or purchase.status is not PurchaseStatus.COMPLETED:
        return result
    completed_after_us = unit.now_us - purchase.create_time_us
    return result._replace(completed_after_us=completed_after_us).about({"granted_microcredits": purchase.credits})


def _objection(
    environment: Environment,
    purchase: Purchase,
    session: CheckoutSession,
    payment_intent_id: str | None,
    *,
    has_money: bool,
) -> Work[Result | None]:
    """Why the session must not move the purchase; None when it may."""
    if has_money:
        mismatch = check_payment(
            snapshot_of(purchase),
            session,
            livemode_expected=environment.terms.livemode,
            promotion_codes_allowed=terms_of(environment, purchase).promotion_codes_allowed,
        )
        if mismatch is not None:
            return quarantined(str(mismatch))
    if purchase.checkout_session_id not in ("", session.session_id):
        return ignored("another session than the purchase's")
    paid_by = purchase.payment_intent_id if purchase.status is PurchaseStatus.COMPLETED else ""
    if paid_by and payment_intent_id not in (None, paid_by):
        return quarantined("the purchase has another payment")
    if (yield from other_purchase(payment_intent_id, purchase)) or (
        yield from other_purchase(session.session_id, purchase)
    ):
        return quarantined("the session or the payment belongs to another purchase")
    return None


FAMILY: Final = Family(
    KIND,
    (COMPLETED, EXPIRED, ASYNC_PAYMENT_SUCCEEDED, ASYNC_PAYMENT_FAILED),
    read,
    ownership.of_checkout,
    handle,
    _moves_money,
)
