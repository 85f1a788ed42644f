"""A refund that was begun and of which Stripe has said nothing: it is sent now, without its caller."""

from functools import partial

import structlog

from billing_service.commands.clawbacks.purchases import purchase_accounts
from billing_service.commands.environment import Environment
from billing_service.commands.sales.refund_sending import (
    RefundIntent,
    count_attempt,
    find_made,
    purchase_of,
    read_refund,
    send,
)
from billing_service.commands.sales.refund_update import (
    RefundUpdate,
    apply_refund_update,
    update_of_ours,
    update_of_refused,
)
from billing_service.domain.sales.refunds import Refund
from billing_service.ledger.provider_step import Begun, provider_step
from billing_service.ledger.unit import begin
from billing_service.payments.objects.refund import ProviderRefund
from billing_service.payments.ports.outcomes import ProviderRefused
from billing_service.storage.statements import Work

log = structlog.get_logger(__name__)


async def resume_refund(environment: Environment, seen: Refund) -> Refund:
    """Answers the refund as it is then. Its request, repeated, is answered by what became of it. Raises
    ProviderRefused, after which its credits are back, and ProviderUnavailable."""
    store = environment.store

    async def begin_again() -> Begun[RefundIntent] | Refund:
        intent = await store.read(lambda: _intent(seen))
        return Begun(intent, resumed=True) if intent.refund.is_unsent else intent.refund

    async def settle(intent: RefundIntent, sent: ProviderRefund) -> Refund:
        return await store.write(
            lambda: _book(environment, intent.refund, update_of_ours(sent, intent.refund.refund_id))
        )

    async def give_up(intent: RefundIntent, refused: ProviderRefused) -> None:
        refund = intent.refund
        about = {"account_id": refund.account_id, "purchase_id": refund.purchase_id, "refund_id": refund.refund_id}
        log.warning("refund_refused", **about, code=refused.code, message=refused.message)
        await store.write(lambda: _book(environment, refund, update_of_refused(refund)))

    async def next_attempt(intent: RefundIntent) -> RefundIntent:
        return RefundIntent(intent.purchase, await store.write(lambda: count_attempt(environment, intent.refund)))

    return await provider_step(
        begin=begin_again,
        ask=partial(send, environment),
        settle=settle,
        give_up=give_up,
        next_attempt=next_attempt,
        find_made=partial(find_made, environment.refunds),
    )


def _intent(seen: Refund) -> Work[RefundIntent]:
    purchase = yield from purchase_of(seen)
    return RefundIntent(purchase, (yield from read_refund(purchase, seen.refund_id)))


def _book(environment: Environment, refund: Refund, update: RefundUpdate) -> Work[Refund]:
    unit = yield from begin(environment.sources, (yield from purchase_accounts(refund.account_id)))
    booked = yield from apply_refund_update(environment, unit, (yield from purchase_of(refund)), update)
    yield from unit.write()
    return booked
