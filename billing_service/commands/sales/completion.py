"""What happens when a purchase's money is there: credits, the referral's bonuses, and whatever went back before."""

from billing_service.commands.clawbacks.bonuses import locked_referral
from billing_service.commands.clawbacks.purchases import follow_money
from billing_service.commands.environment import Environment
from billing_service.commands.sale_terms import terms_of
from billing_service.domain.ledger.entries import Place, TransactionKind
from billing_service.domain.ledger.events import EventKind
from billing_service.domain.ledger.granting import grant, new_lot
from billing_service.domain.ledger.lots import Category
from billing_service.domain.promotions.referrals import Referral, ReferralPolicy, ReferralState, decide_first_purchase
from billing_service.domain.sales.purchases import Purchase, PurchaseStatus, PurchaseUpdate, next_status
from billing_service.ledger.unit import Unit
from billing_service.storage.rows.purchases import REFERRALS, REFUNDS, count_rewards, refunds_of
from billing_service.storage.statements import Work


def apply_update(
    environment: Environment,
    unit: Unit,
    purchase: Purchase,
    update: PurchaseUpdate,
    *,
    paid_minor: int = 0,
    net_paid_minor: int = 0,
) -> Work[None]:
    """Applies an update to a purchase. The transition into COMPLETED grants its credits, exactly once, because
    COMPLETED is final. `net_paid_minor` is the part of `paid_minor` that was paid for the credits themselves."""
    before = purchase.status
    purchase.status = next_status(before, update)
    if purchase.status is PurchaseStatus.COMPLETED and before is not PurchaseStatus.COMPLETED:
        purchase.paid_minor, purchase.net_paid_minor = paid_minor, net_paid_minor
        yield from _complete(environment, unit, purchase)
    else:
        unit.change(purchase)


def _complete(environment: Environment, unit: Unit, purchase: Purchase) -> Work[None]:
    account = unit.account(purchase.account_id)
    lot = new_lot(purchase.credits, Category.PAID, now_us=unit.now_us, ids=unit.ids, source_id=purchase.purchase_id)
    grant(
        account, lot, Place.SALES, TransactionKind.PURCHASE, now_us=unit.now_us, ids=unit.ids, description=purchase.name
    )
    purchase.lot_id = lot.lot_id
    purchase.complete_time_us = unit.now_us
    detail: dict[str, str | int] = {
        "credits_microcredits": purchase.credits,
        "paid_minor": purchase.paid_minor,
        "currency": purchase.currency,
    }
    unit.tell(purchase.account_id, EventKind.PURCHASE_COMPLETED, purchase.purchase_id, detail)
    referral = yield from locked_referral(unit, purchase.account_id)
    if referral is not None and referral.state is ReferralState.PENDING:
        yield from _decide_referral(unit, purchase, referral, terms_of(environment, purchase).referral)
    yield from _follow_refunds(environment, unit, purchase)


def _follow_refunds(environment: Environment, unit: Unit, purchase: Purchase) -> Work[None]:
    """Takes back what refunds took of the money before the credits were there: one after the other, so that each says
    what it took."""
    refunds = yield from refunds_of(purchase)
    counting = sorted((refund for refund in refunds if refund.status.counts), key=lambda refund: refund.refund_id)
    if not counting:
        yield from follow_money(environment, unit, purchase, refunds=())
    for number, refund in enumerate(counting, 1):
        (yield from follow_money(environment, unit, purchase, refunds=counting[:number])).note(refund)
        yield from REFUNDS.replace(refund)


def _decide_referral(unit: Unit, purchase: Purchase, referral: Referral, policy: ReferralPolicy) -> Work[None]:
    """The referred account's first completed purchase decides its referral, for good."""
    rewards = yield from count_rewards(referral.referrer_account_id)
    outcome = decide_first_purchase(policy, purchase.paid_for_credits_minor, rewards)
    referral.state = outcome.state
    referral.purchase_id = purchase.purchase_id
    referral.bonus = policy.bonus_microcredits
    referral.minimum_minor = policy.minimum_purchase_minor
    due_us = policy.reward_time_us(unit.now_us)
    if outcome.referee_bonus_microcredits:
        referral.referee_lot_id = _bonus(
            unit, referral.account_id, outcome.referee_bonus_microcredits, purchase, due_us
        )
        referral.reward_time_us = due_us
    if outcome.referrer_bonus_microcredits:
        referral.referrer_lot_id = _bonus(
            unit, referral.referrer_account_id, outcome.referrer_bonus_microcredits, purchase, due_us
        )
        if not referral.referrer_lot_id:
            referral.state = ReferralState.QUALIFIED
    yield from REFERRALS.replace(referral)


def _bonus(unit: Unit, account_id: str, amount: int, purchase: Purchase, due_us: int) -> str:
    """Grants a bonus, spendable from `due_us` on; answers its lot. Empty where the account has no room for it: a bonus
    stops no sale."""
    account = unit.account(account_id)
    if not account.has_room(amount):
        return ""
    lot = new_lot(
        amount,
        Category.PROMOTIONAL,
        now_us=unit.now_us,
        ids=unit.ids,
        effective_time_us=due_us,
        source_id=purchase.purchase_id,
    )
    grant(
        account,
        lot,
        Place.BONUSES,
        TransactionKind.GRANT,
        now_us=unit.now_us,
        ids=unit.ids,
        description="Referral bonus",
    )
    return lot.lot_id
