"""What was learned of one refund, from our own call or from Stripe's events, in any order and any number of times."""

from dataclasses import dataclass

from billing_service.commands.clawbacks.purchases import follow_money
from billing_service.commands.environment import Environment
from billing_service.domain.deployment import Deployment, MarkKind
from billing_service.domain.ledger.events import EventKind
from billing_service.domain.sales.clawbacks import settle_set_aside
from billing_service.domain.sales.purchases import Purchase
from billing_service.domain.sales.refunds import Refund, RefundStatus
from billing_service.ledger.unit import Unit
from billing_service.payments.objects.fields import ObjectInvalid
from billing_service.payments.objects.refund import ProviderRefund
from billing_service.storage.rows.purchases import REFUNDS, refunds_of
from billing_service.storage.rows.refunds import claim_refund_ids
from billing_service.storage.statements import Work

_FROM_STRIPE = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.CANCELED,
}


MONEY = ("stripe_refund_id", "amount_minor", "currency")
"""What a refund must say before it is booked; and its status, unless it is our own."""


@dataclass(frozen=True, slots=True)
class RefundUpdate:
    """A refund as it is at Stripe now. Ids are empty where not known."""

    stripe_refund_id: str
    refund_id: str
    amount_minor: int
    currency: str
    status: RefundStatus
    is_ours: bool
    """Whether it is known to be the one that `refund_id` names: by our own call, or by our mark."""


def update_of(deployment: Deployment, sent: ProviderRefund) -> RefundUpdate:
    """What an event, or Stripe's own list, says of a refund. Raises ObjectInvalid: what no rule knows is never
    guessed."""
    sent.require(*MONEY, "status")
    status = status_of(sent)
    is_ours = deployment.made(MarkKind.REFUND, sent.refund_id or "", sent.mark)
    return _update(sent, sent.refund_id or "", status, is_ours=is_ours)


def status_of(sent: ProviderRefund) -> RefundStatus:
    """How a refund stands that says so. Raises ObjectInvalid: what no rule knows is never guessed."""
    status = _FROM_STRIPE.get(sent.status)
    if status is None:
        raise ObjectInvalid(f"refund status {sent.status[:32]!r} is not known")
    return status


def update_of_ours(sent: ProviderRefund, refund_id: str) -> RefundUpdate:
    """What Stripe answered when we began a refund, or lists as the one that we began. In a status that is not known it
    is promised: its events say what becomes of it."""
    return _update(sent, refund_id, _FROM_STRIPE.get(sent.status, RefundStatus.PENDING), is_ours=True)


def update_of_refused(refund: Refund) -> RefundUpdate:
    """Stripe refused to make a refund that we began."""
    return RefundUpdate("", refund.refund_id, refund.amount_minor, refund.currency, RefundStatus.FAILED, is_ours=True)


def _update(sent: ProviderRefund, refund_id: str, status: RefundStatus, *, is_ours: bool) -> RefundUpdate:
    assert sent.amount_minor is not None, "required before"
    assert sent.currency is not None, "required before"
    return RefundUpdate(sent.stripe_refund_id, refund_id, sent.amount_minor, sent.currency, status, is_ours=is_ours)


def apply_refund_update(environment: Environment, unit: Unit, purchase: Purchase, update: RefundUpdate) -> Work[Refund]:
    """Books a refund and lets the purchase's credits follow its money. The caller writes the unit."""
    refund = _find(environment.deployment, (yield from refunds_of(purchase)), update)
    if refund is None:
        refund = _begun_at_stripe(unit, purchase, update)
        yield from REFUNDS.add(refund)
        yield from claim_refund_ids(refund)
        (yield from follow_money(environment, unit, purchase)).note(refund)
        yield from REFUNDS.replace(refund)
        _tell_if_settled(unit, refund, RefundStatus.PENDING)
        return refund
    # Stripe made a refund that we had given up before Stripe named it: Stripe's word contradicts ours.
    before = refund.status
    named_now = bool(update.stripe_refund_id) and not refund.stripe_refund_id
    refund.stripe_refund_id = refund.stripe_refund_id or update.stripe_refund_id
    if named_now or update.status.rank > refund.status.rank:
        refund.status = update.status
    if refund.requires_settlement and refund.status is not RefundStatus.PENDING:
        settle_set_aside(
            unit.account(purchase.account_id),
            refund.reversed,
            source_id=refund.refund_id,
            now_us=unit.now_us,
            ids=unit.ids,
        )
        refund.requires_settlement = False
    yield from REFUNDS.replace(refund)
    yield from claim_refund_ids(refund)
    followed = yield from follow_money(environment, unit, purchase)
    if refund.status.counts and not before.counts:  # its credits came back when it was given up
        followed.note(refund)
        yield from REFUNDS.replace(refund)
    _tell_if_settled(unit, refund, before)
    return refund


def _tell_if_settled(unit: Unit, refund: Refund, before: RefundStatus) -> None:
    if refund.status in (RefundStatus.PENDING, before):
        return
    detail: dict[str, str | int] = {
        "purchase_id": refund.purchase_id,
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "status": refund.status.value,
    }
    unit.tell(refund.account_id, EventKind.REFUND_SETTLED, refund.refund_id, detail)


def _find(deployment: Deployment, refunds: list[Refund], update: RefundUpdate) -> Refund | None:
    """By Stripe's id first: it can't be mistaken. By ours while we have not learned Stripe's; where our refund carries
    a mark, anything without it that names our id is a stranger's."""
    for refund in refunds:
        if update.stripe_refund_id and refund.stripe_refund_id == update.stripe_refund_id:
            return refund
    named = (refund for refund in refunds if refund.refund_id == update.refund_id and not refund.stripe_refund_id)
    return next((refund for refund in named if update.is_ours or not carries_mark(deployment, refund)), None)


def carries_mark(deployment: Deployment, refund: Refund) -> bool:
    """Whether a refund that was begun here has this deployment's mark at Stripe: not if an older program began it, or
    another deployment whose ledger this was."""
    return refund.is_marked and refund.create_time_us >= deployment.create_time_us


def _begun_at_stripe(unit: Unit, purchase: Purchase, update: RefundUpdate) -> Refund:
    return Refund(
        account_id=purchase.account_id,
        refund_id=unit.ids("ref"),
        purchase_id=purchase.purchase_id,
        amount_minor=update.amount_minor,
        currency=update.currency,
        status=update.status,
        attempt=0,
        requires_settlement=False,
        reversed=0,
        debt=0,
        stripe_refund_id=update.stripe_refund_id,
        reason="begun at Stripe",
        create_time_us=unit.now_us,
    )
