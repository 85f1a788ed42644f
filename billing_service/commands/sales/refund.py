"""Refund: credits are set aside first, then Stripe is asked, then they are settled, or given back."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import structlog

from billing_service.commands.clawbacks.bonuses import referral_at_stake
from billing_service.commands.clawbacks.purchases import follow_money, money_gone, purchase_accounts, purchase_lot
from billing_service.commands.environment import Environment
from billing_service.commands.sales.get_purchase import purchase_by_id
from billing_service.commands.sales.refund_update import (
    MONEY,
    apply_refund_update,
    carries_mark,
    update_of_ours,
    update_of_refused,
)
from billing_service.domain.deployment import MarkKind
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.refusals.sales import credits_already_spent, purchase_all_refunded, purchase_not_refundable
from billing_service.domain.sales.purchases import Purchase, PurchaseStatus
from billing_service.domain.sales.refunds import Refund, RefundStatus
from billing_service.domain.sales.reversals import PurchaseReversal, RefundPolicy, RefundQuote, quote
from billing_service.ledger.keys import Answer
from billing_service.ledger.provider_step import (
    Begun,
    Recorded,
    as_refusals,
    give_up_intent,
    provider_step,
    record_intent,
    settle_intent,
)
from billing_service.ledger.unit import Request, Unit, begin
from billing_service.payments.objects.fields import ObjectInvalid
from billing_service.payments.objects.refund import ProviderRefund
from billing_service.payments.ports.outcomes import ProviderRefused, ProviderUnavailable
from billing_service.payments.ports.refunds import Refunds
from billing_service.storage.rows.catching_up import read_missed
from billing_service.storage.rows.hold_reading import read_present_accounts
from billing_service.storage.rows.purchases import REFUNDS, read_purchase, refunds_of
from billing_service.storage.rows.refunds import claim_refund_ids
from billing_service.storage.statements import Work

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RefundPurchase:
    """A valid request. The key is the account's, which the purchase names."""

    make_request: Callable[[str], Request]
    purchase_id: str
    amount_minor: int | None
    policy: RefundPolicy
    reason: str
    encode: Callable[[Refund, Balance], bytes]


async def quote_refund(
    environment: Environment,
    purchase_id: str,
    policy: RefundPolicy,
    amount_minor: int | None,
    require_account: Callable[[str], None],
) -> tuple[RefundQuote, str]:
    """What a refund would do now, and the currency. `require_account` refuses the accounts that the caller may not act
    on. Raises what `refund_purchase` raises before it asks Stripe."""
    purchase = await purchase_by_id(environment, purchase_id)
    require_account(purchase.account_id)

    def work() -> Work[RefundQuote]:
        now_us = environment.clock_us()
        accounts = yield from read_present_accounts([purchase.account_id], now_us)
        missed = yield from read_missed(accounts[purchase.account_id])
        standing = missed.purchases.get(purchase.purchase_id) or (
            yield from read_purchase(purchase.account_id, purchase.purchase_id)
        )
        assert standing is not None
        unit = Unit(environment.ids, accounts, now_us)
        return (yield from _quote(environment, unit, standing, policy, amount_minor))

    return await environment.store.read(work), purchase.currency


class _Intent(NamedTuple):
    """A refund whose credits are set aside, and its purchase as it stood then: it may have been paid since the call
    came."""

    purchase: Purchase
    refund: Refund


async def refund_purchase(environment: Environment, command: RefundPurchase) -> Answer:
    """Raises PURCHASE_NOT_FOUND, PURCHASE_NOT_REFUNDABLE, INVALID_FIELD, CREDITS_ALREADY_SPENT; STRIPE_REFUSED, after
    which nothing is changed and the key is free; STRIPE_UNAVAILABLE, after which the credits stay set aside and the key
    resumes."""
    store, seen = environment.store, await purchase_by_id(environment, command.purchase_id)
    request = command.make_request(seen.account_id)

    async def begin_refund() -> Begun[_Intent] | Answer:
        return await store.write(lambda: _begin(environment, command, request, seen))

    async def settle(intent: _Intent, sent: ProviderRefund) -> Answer:
        return await store.write(lambda: _settle(environment, command, request, intent.refund, sent))

    async def give_up(intent: _Intent, refused: ProviderRefused) -> None:
        refund = intent.refund
        about = {"account_id": refund.account_id, "purchase_id": refund.purchase_id, "refund_id": refund.refund_id}
        log.warning("refund_refused", **about, code=refused.code, message=refused.message)
        await store.write(lambda: _give_back(environment, request, refund))

    async def next_attempt(intent: _Intent) -> _Intent:
        return _Intent(intent.purchase, await store.write(lambda: _next_attempt(environment, intent.refund)))

    with as_refusals():
        return await provider_step(
            begin=begin_refund,
            ask=partial(_send, environment),
            settle=settle,
            give_up=give_up,
            next_attempt=next_attempt,
            # Stripe forgets keys after a day: only its list of refunds is sure.
            find_made=partial(_find_made, environment.refunds),
        )


def _begin(
    environment: Environment, command: RefundPurchase, request: Request, seen: Purchase
) -> Work[Begun[_Intent] | Answer]:
    def start(unit: Unit) -> Work[Recorded[_Intent]]:
        purchase = yield from _purchase_of(seen)
        refund = yield from _set_aside(environment, unit, command, request, purchase)
        unit.detail |= {
            "refund_id": refund.refund_id,
            "purchase_id": purchase.purchase_id,
            "amount_minor": refund.amount_minor,
            "reason": command.reason,
        }
        return Recorded(_Intent(purchase, refund), request, refund.refund_id)

    def resume(_unit: Unit, refund_id: str) -> Work[_Intent | bytes]:
        purchase = yield from _purchase_of(seen)
        return _Intent(purchase, (yield from _read_refund(purchase, refund_id)))

    involved = yield from purchase_accounts(seen.account_id)
    return (
        yield from record_intent(
            environment.sources, involved, request.key.id, start=start, resume=resume, key=request.key
        )
    )


def _purchase_of(seen: Purchase | Refund) -> Work[Purchase]:
    """The purchase, as it is under the locks of its accounts."""
    purchase = yield from read_purchase(seen.account_id, seen.purchase_id)
    assert purchase is not None, "purchases are never deleted"
    return purchase


def _set_aside(
    environment: Environment, unit: Unit, command: RefundPurchase, request: Request, purchase: Purchase
) -> Work[Refund]:
    quoted = yield from _quote(environment, unit, purchase, command.policy, command.amount_minor)
    if not quoted.refundable_minor:
        raise credits_already_spent(0, unit.account(purchase.account_id).known_lot(purchase.lot_id).held)
    refund = Refund(
        account_id=purchase.account_id,
        refund_id=unit.ids("ref"),
        purchase_id=purchase.purchase_id,
        amount_minor=quoted.refundable_minor,
        currency=purchase.currency,
        status=RefundStatus.PENDING,
        attempt=0,
        requires_settlement=True,
        reversed=0,
        debt=0,
        stripe_refund_id="",
        reason=command.reason,
        create_time_us=unit.now_us,
        is_marked=True,
    )
    yield from REFUNDS.add(refund)
    yield from claim_refund_ids(refund)
    followed = yield from follow_money(
        environment, unit, purchase, set_aside=True, caller=request.caller.name, description=command.reason
    )
    followed.note(refund)
    refund.requires_settlement = refund.reversed > 0
    yield from REFUNDS.replace(refund)
    return refund


def _quote(
    environment: Environment, unit: Unit, purchase: Purchase, policy: RefundPolicy, amount_minor: int | None
) -> Work[RefundQuote]:
    if purchase.status is not PurchaseStatus.COMPLETED or purchase.paid_minor == 0:
        raise purchase_not_refundable(purchase.purchase_id, purchase.status.value, "the purchase is not paid")
    gone = money_gone(purchase)
    if gone == purchase.paid_minor:
        raise purchase_all_refunded(purchase.purchase_id, purchase.status.value, (yield from _waiting_refund(purchase)))
    lot = yield from purchase_lot(unit, purchase)
    run_out = lot.remaining if lot.has_expired(unit.now_us) else 0
    standing = PurchaseReversal(
        credits_microcredits=purchase.credits,
        paid_minor=purchase.paid_minor,
        reversed_minor=gone,
        taken_microcredits=purchase.reversed,
        left_microcredits=lot.remaining - run_out,
        expired_microcredits=lot.expired + run_out - purchase.reversed_expired,
        referral=(yield from referral_at_stake(environment, unit, purchase, gone)),
        held_microcredits=lot.held,
    )
    return quote(standing, policy, amount_minor, purchase.currency)


def _waiting_refund(purchase: Purchase) -> Work[str]:
    """Id of the newest refund of which Stripe has said nothing; empty for none."""
    refunds = yield from refunds_of(purchase)
    return max((refund.refund_id for refund in refunds if refund.is_unsent), default="")


async def _find_made(refunds: Refunds, intent: _Intent) -> ProviderRefund | None:
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


async def _send(environment: Environment, intent: _Intent) -> ProviderRefund:
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


def _read_refund(purchase: Purchase, refund_id: str) -> Work[Refund]:
    return next(refund for refund in (yield from refunds_of(purchase)) if refund.refund_id == refund_id)


def _next_attempt(environment: Environment, seen: Refund) -> Work[Refund]:
    yield from begin(environment.sources, [seen.account_id])
    purchase = yield from _purchase_of(seen)
    refund = yield from _read_refund(purchase, seen.refund_id)
    if refund.attempt == seen.attempt:
        refund.attempt += 1
        yield from REFUNDS.replace(refund)
    return refund


def _settle(
    environment: Environment, command: RefundPurchase, request: Request, begun: Refund, sent: ProviderRefund
) -> Work[Answer]:
    def effect(unit: Unit) -> Work[bytes]:
        update = update_of_ours(sent, begun.refund_id)
        refund = yield from apply_refund_update(environment, unit, (yield from _purchase_of(begun)), update)
        return command.encode(refund, unit.account(begun.account_id).show(unit.now_us))

    involved = yield from purchase_accounts(begun.account_id)
    return (yield from settle_intent(environment.sources, involved, request, begun.refund_id, effect))


def _give_back(environment: Environment, request: Request, begun: Refund) -> Work[None]:
    """Stripe said no: the refund failed, its credits come back, and its key is free."""

    def undo(unit: Unit) -> Work[None]:
        yield from apply_refund_update(environment, unit, (yield from _purchase_of(begun)), update_of_refused(begun))

    involved = yield from purchase_accounts(begun.account_id)
    yield from give_up_intent(environment.sources, involved, request, begun.refund_id, undo)
