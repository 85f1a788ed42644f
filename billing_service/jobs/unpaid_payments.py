"""Calls off payments whose time has run out: at Stripe they never do by themselves, unlike checkouts."""

from typing import Final

import structlog

from billing_service.commands.environment import Environment
from billing_service.commands.sales.payment_step import end_payment
from billing_service.payments.ports.outcomes import ProviderRefused, ProviderUnavailable
from billing_service.storage.rows.purchases import unpaid_payments
from billing_service.stripe_events.follow import follow_asked

log = structlog.get_logger(__name__)

PAGE: Final = 100


async def end_unpaid_payments(environment: Environment) -> None:
    """Of those whose customer was faster, the purchase follows the payment. Harmless in several processes at once.
    Raises Failure."""
    found = await environment.store.read(lambda: unpaid_payments(environment.clock_us(), PAGE))
    for purchase in found:
        about = {"account_id": purchase.account_id, "purchase_id": purchase.purchase_id}
        try:
            intent = await end_payment(environment, purchase.payment_intent_id, f"expire:{purchase.payment_intent_id}")
        except ProviderUnavailable as unavailable:
            log.warning("payment_not_called_off", **about, error=str(unavailable))
            return  # the next run tries again
        except ProviderRefused as refused:
            log.error("payment_not_called_off", **about, code=refused.code)  # noqa: TRY400 - a word of Stripe's, no defect
            continue
        await follow_asked(environment, purchase, intent)
