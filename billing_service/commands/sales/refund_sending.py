"""Sending a refund that is recorded: what a call, its repeat and a later look at what was never sent have in common."""

from typing import NamedTuple

from billing_service.commands.environment import Environment
from billing_service.commands.sales.refund_update import MONEY, carries_mark
from billing_service.domain.deployment import MarkKind
from billing_service.domain.sales.purchases import Purchase
from billing_service.domain.sales.refunds import Refund
from billing_service.ledger.unit import begin
from billing_service.payments.objects.fields import ObjectInvalid
from billing_service.payments.objects.refund import ProviderRefund
from billing_service.payments.ports.outcomes import ProviderRefused, ProviderUnavailable
from billing_service.payments.ports.refunds import Refunds
from billing_service.storage.rows.purchases import REFUNDS, read_purchase, refunds_of
from billing_service.storage.statements import Work


class RefundIntent(NamedTuple):
    """A refund whose credits are set aside, and its purchase as it stood then: it may have been paid since the call
    came."""

    purchase: Purchase
    refund: Refund


def purchase_of(seen: Purchase | Refund) -> Work[Purchase]:
    """The purchase, as it is under the locks of its accounts."""
    purchase = yield from read_purchase(seen.account_id, seen.purchase_id)
    assert purchase is not None, "purchases are never deleted"
    return purchase


async def find_made(refunds: Refunds, intent: RefundIntent) -> ProviderRefund | None:
    try:
        listed = await refunds.list_refunds(intent.purchase.payment_intent_id)
    except ProviderRefused as refused:
        # No word about the refund itself: giving its credits back on account of this would give them away.
        raise ProviderUnavailable(f"list_refunds: {refused.code}") from refused
    made = next((sent for sent in listed if sent.refund_id == intent.refund.refund_id), None)
    try:
        if made is not None:
            made.require(*MONEY)
    except ObjectInvalid as fault:
        raise ProviderUnavailable(f"list_refunds: {fault}") from fault
    return made


async def send(environment: Environment, intent: RefundIntent) -> ProviderRefund:
    deployment, (purchase, refund) = environment.deployment, intent
    return await environment.refunds.create_refund(
        refund_id=refund.refund_id,
        purchase_id=purchase.purchase_id,
        account_id=purchase.account_id,
        payment_intent_id=purchase.payment_intent_id,
        amount_minor=refund.amount_minor,
        # As the row says, and not as this program would: a resumed call must say what the first one said.
        mark=deployment.mark(MarkKind.REFUND, refund.refund_id) if carries_mark(deployment, refund) else "",
        idempotency_key=f"refund:{refund.refund_id}:{refund.attempt}",
    )


def read_refund(purchase: Purchase, refund_id: str) -> Work[Refund]:
    return next(refund for refund in (yield from refunds_of(purchase)) if refund.refund_id == refund_id)


def count_attempt(environment: Environment, seen: Refund) -> Work[Refund]:
    yield from begin(environment.sources, [seen.account_id])
    purchase = yield from purchase_of(seen)
    refund = yield from read_refund(purchase, seen.refund_id)
    if refund.attempt == seen.attempt:
        refund.attempt += 1
        yield from REFUNDS.replace(refund)
    return refund
