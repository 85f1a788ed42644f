"""Refund: credits are set aside first, then Stripe is asked, then they are settled, or given back."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from billing_service.commands.clawbacks.bonuses import referral_at_stake
from billing_service.commands.clawbacks.purchases import follow_money, money_gone, purchase_accounts, purchase_lot
from billing_service.commands.environment import Environment
from billing_service.commands.sales.get_purchase import purchase_by_id
from billing_service.commands.sales.refund_sending import (
    RefundIntent,
    count_attempt,
    find_made,
    purchase_of,
    read_refund,
    send,
)
from billing_service.commands.sales.refund_update import (
    apply_refund_update,
    update_of_ours,
    update_of_refused,
)
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
from billing_service.ledger.unit import Request, Unit
from billing_service.payments.objects.refund import ProviderRefund
from billing_service.payments.ports.outcomes import ProviderRefused
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


async def refund_purchase(environment: Environment, command: RefundPurchase) -> Answer:
    """Raises PURCHASE_NOT_FOUND, PURCHASE_NOT_REFUNDABLE, INVALID_FIELD, CREDITS_ALREADY_SPENT; STRIPE_REFUSED, after
    which nothing is changed and the key is free; STRIPE_UNAVAILABLE, after which the credits stay set aside and the key
    resumes."""
    store, seen = environment.store, await purchase_by_id(environment, command.purchase_id)
    request = command.make_request(seen.account_id)

    async def begin_refund() -> Begun[RefundIntent] | Answer:
        return await store.write(lambda: _begin(environment, command, request, seen))

    async def settle(intent: RefundIntent, sent: ProviderRefund) -> Answer:
        return await store.write(lambda: _settle(environment, command, request, intent.refund, sent))

    async def give_up(intent: RefundIntent, refused: ProviderRefused) -> None:
        refund = intent.refund
        about = {"account_id": refund.account_id, "purchase_id": refund.purchase_id, "refund_id": refund.refund_id}
        log.warning("refund_refused", **about, code=refused.code, message=refused.message)
        await store.write(lambda: _give_back(environment, request, refund))

    async def next_attempt(intent: RefundIntent) -> RefundIntent:
        return RefundIntent(intent.purchase, await store.write(lambda: count_attempt(environment, intent.refund)))

    with as_refusals():
        return await provider_step(
            begin=begin_refund,
            ask=partial(send, environment),
            settle=settle,
            give_up=give_up,
            next_attempt=next_attempt,
            # Stripe forgets keys after a day: only its list of refunds is sure.
            find_made=partial(find_made, environment.refunds),
        )


def _begin(
    environment: Environment, command: RefundPurchase, request: Request, seen: Purchase
) -> Work[Begun[RefundIntent] | Answer]:
    def start(unit: Unit) -> Work[Recorded[RefundIntent]]:
        purchase = yield from purchase_of(seen)
        refund = yield from _set_aside(environment, unit, command, request, purchase)
        unit.detail |= {
            "refund_id": refund.refund_id,
            "purchase_id": purchase.purchase_id,
            "amount_minor": refund.amount_minor,
            "reason": command.reason,
        }
        return Recorded(RefundIntent(purchase, refund), request, refund.refund_id)

    def resume(unit: Unit, refund_id: str) -> Work[RefundIntent | bytes]:
        purchase = yield from purchase_of(seen)
        refund = yield from read_refund(purchase, refund_id)
        if refund.was_given_up:  # by a look at what was never sent: it is not tried again behind the caller's back
            return command.encode(refund, unit.account(refund.account_id).show(unit.now_us))
        return RefundIntent(purchase, refund)

    involved = yield from purchase_accounts(seen.account_id)
    return (
        yield from record_intent(
            environment.sources, involved, request.key.id, start=start, resume=resume, key=request.key
        )
    )


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


def _settle(
    environment: Environment, command: RefundPurchase, request: Request, begun: Refund, sent: ProviderRefund
) -> Work[Answer]:
    def effect(unit: Unit) -> Work[bytes]:
        update = update_of_ours(sent, begun.refund_id)
        refund = yield from apply_refund_update(environment, unit, (yield from purchase_of(begun)), update)
        return command.encode(refund, unit.account(begun.account_id).show(unit.now_us))

    involved = yield from purchase_accounts(begun.account_id)
    return (yield from settle_intent(environment.sources, involved, request, begun.refund_id, effect))


def _give_back(environment: Environment, request: Request, begun: Refund) -> Work[None]:
    """Stripe said no: the refund failed, its credits come back, and its key is free."""

    def undo(unit: Unit) -> Work[None]:
        yield from apply_refund_update(environment, unit, (yield from purchase_of(begun)), update_of_refused(begun))

    involved = yield from purchase_accounts(begun.account_id)
    yield from give_up_intent(environment.sources, involved, request, begun.refund_id, undo)
