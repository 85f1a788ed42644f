"""charge.dispute.*: a customer's bank asks about a payment, takes its money, or returns it."""

from functools import partial
from typing import Final

from billing_service.commands.clawbacks.disputes import follow_dispute
from billing_service.commands.environment import Environment
from billing_service.domain.sales.disputes import DisputeNews
from billing_service.domain.sales.purchases import Purchase
from billing_service.domain.times import US_PER_S
from billing_service.ledger.unit import Unit
from billing_service.payments.objects.dispute import KIND, NEEDED, Dispute, read_dispute
from billing_service.payments.objects.fields import ObjectInvalid
from billing_service.storage.statements import Work
from billing_service.stripe_events import ownership
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.family import Family, NoEffect, Occasion
from billing_service.stripe_events.lookup import on_purchase_of
from billing_service.stripe_events.ownership import Owner
from billing_service.stripe_events.result import PROCESSED, Result, quarantined
from billing_service.stripe_events.runs import Runs


def read(envelope: Envelope) -> Dispute | NoEffect:
    """Of payments that are nobody's here, no other field matters."""
    dispute = read_dispute(envelope.object, envelope.created_us)
    dispute.check("payment_intent_id")
    return NoEffect("it belongs to no payment intent") if dispute.payment_intent_id is None else dispute


def handle(environment: Environment, _owner: Owner, dispute: Dispute, _occasion: Occasion, runs: Runs) -> Work[Result]:
    """Each of these events has the whole dispute as it was then."""
    effect = partial(apply, environment, sent=dispute, runs=runs)
    return (yield from on_purchase_of(environment, dispute.payment_intent_id, effect))


def apply(environment: Environment, unit: Unit, purchase: Purchase, sent: Dispute, runs: Runs) -> Work[Result]:
    """Books the dispute of a purchase. The caller writes the unit."""
    del runs
    try:
        news = _news(sent, unit.now_us)
    except ObjectInvalid as fault:
        return quarantined(str(fault))
    if news.currency != purchase.currency:
        return quarantined(f"currency: expected {purchase.currency}")
    dispute = yield from follow_dispute(environment, unit, purchase, news)
    return PROCESSED.about(
        {
            "dispute_id": dispute.dispute_id,
            "dispute_status": dispute.status.value,
            "dispute_minor": dispute.amount_minor,
            "dispute_out_minor": dispute.out_minor,
        }
    )


def _news(sent: Dispute, now_us: int) -> DisputeNews:
    """What Stripe was asked for is as new as can be. Raises ObjectInvalid."""
    sent.require(*NEEDED)
    sent.check("entries")
    assert sent.amount_minor is not None, "required before"
    assert sent.currency is not None, "required before"
    return DisputeNews(
        dispute_id=sent.dispute_id,
        amount_minor=sent.amount_minor,
        currency=sent.currency,
        word=sent.word,
        reason=sent.reason,
        entries=sent.entries or {},
        due_time_us=sent.due_time_us,
        told_time_us=now_us // US_PER_S * US_PER_S if sent.told_time_us is None else sent.told_time_us,
    )


FAMILY: Final = Family(
    KIND,
    (
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    ),
    read,
    ownership.of_dispute,
    handle,
    apply=apply,
)
