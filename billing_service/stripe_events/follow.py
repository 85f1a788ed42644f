"""What Stripe answered when it was asked about a page or a payment, applied as its own event would be."""

import structlog

from billing_service.commands.environment import Environment
from billing_service.domain.inbox import EventStatus
from billing_service.domain.refusals import Refusal
from billing_service.domain.sales.purchases import Purchase
from billing_service.payments.objects.checkout_session import CheckoutSession
from billing_service.payments.objects.payment_intent import PaymentIntent
from billing_service.storage.rows.purchases import read_purchase
from billing_service.storage.statements import Work
from billing_service.stripe_events.families import checkout_session, payment_intent
from billing_service.stripe_events.family import Occasion
from billing_service.stripe_events.inbox import count_effects
from billing_service.stripe_events.ownership import Owner, Whose
from billing_service.stripe_events.result import Did, Result, quarantined
from billing_service.stripe_events.runs import Runs

log = structlog.get_logger(__name__)


async def follow_asked(
    environment: Environment, purchase: Purchase, asked: CheckoutSession | PaymentIntent
) -> Purchase:
    """Completes, promises or expires a purchase by its own page or payment; answers it as it is then. Its credits are
    granted once, whatever its events do meanwhile. What must not move it is logged, and kept and alarmed once its event
    comes. Raises Failure."""
    owner, runs = Owner(Whose.OURS, (purchase.account_id, purchase.purchase_id)), Runs(environment)
    try:
        result = await runs.write(lambda: _handled(environment, owner, asked, runs))
    except Refusal as refusal:
        result = quarantined(f"{refusal.reason}: {refusal.message}")
    _note(environment, purchase, result)
    stands = await environment.store.read(lambda: _read(purchase))
    assert stands is not None, "purchases are never deleted"
    return stands


def _handled(
    environment: Environment, owner: Owner, asked: CheckoutSession | PaymentIntent, runs: Runs
) -> Work[Result]:
    if isinstance(asked, CheckoutSession):
        return (yield from checkout_session.handle(environment, owner, asked, Occasion(), runs))
    return (yield from payment_intent.handle(environment, owner, asked, Occasion(), runs))


def _note(environment: Environment, purchase: Purchase, result: Result) -> None:
    count_effects(environment, result)
    if result.status is EventStatus.QUARANTINED:
        log.error("checkout_not_followed", note=result.note, **result.about(_ids(purchase)).did)
    else:
        log.info("checkout_followed", outcome=result.status.value, note=result.note, **result.about(_ids(purchase)).did)


def _ids(purchase: Purchase) -> Did:
    return {"account_id": purchase.account_id, "purchase_id": purchase.purchase_id}


def _read(purchase: Purchase) -> Work[Purchase | None]:
    return (yield from read_purchase(purchase.account_id, purchase.purchase_id))
