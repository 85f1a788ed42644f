"""Keeps a purchase's credits in step with its money, by the absolute target: any order and repetition of updates ends
alike."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from billing_service.commands.clawbacks.bonuses import follow_referral
from billing_service.commands.environment import Environment
from billing_service.domain.ledger.entries import Entry, Place, is_lot
from billing_service.domain.ledger.lots import Lot
from billing_service.domain.promotions.bonuses import BonusTaken
from billing_service.domain.sales.clawbacks import Taken, claw_back, reinstate
from billing_service.domain.sales.purchases import Purchase
from billing_service.domain.sales.refunds import Refund
from billing_service.domain.sales.reversals import reversed_minor, target_credits
from billing_service.ledger.settled_debt import payments_of
from billing_service.ledger.unit import Unit
from billing_service.storage.rows.ledger import fetch_lots
from billing_service.storage.rows.purchases import read_referral, refunds_of
from billing_service.storage.statements import Work


class Followed(NamedTuple):
    """What following a purchase's money took of its buyer now, in microcredits."""

    credits: Taken = Taken()
    bonus: BonusTaken = BonusTaken()

    def note(self, refund: Refund) -> None:
        """Lets the refund that did it say so."""
        refund.reversed, refund.expired = self.credits.total - self.credits.expired, self.credits.expired
        refund.debt = self.credits.debt + self.bonus.debt
        refund.bonus = self.bonus.total


def purchase_accounts(account_id: str) -> Work[list[str]]:
    """The accounts that an update of a purchase may touch: the buyer, and its referrer for the bonus."""
    referral = yield from read_referral(account_id)
    return [account_id] if referral is None else [account_id, referral.referrer_account_id]


def purchase_lot(unit: Unit, purchase: Purchase) -> Work[Lot]:
    """The purchase's own lot, also when it is empty."""
    account = unit.account(purchase.account_id)
    yield from fetch_lots(account, [purchase.lot_id])
    return account.known_lot(purchase.lot_id)


def follow_money(
    environment: Environment,
    unit: Unit,
    purchase: Purchase,
    *,
    refunds: Sequence[Refund] | None = None,
    set_aside: bool = False,
    caller: str = "",
    description: str = "",
) -> Work[Followed]:
    """Moves what the target of a completed purchase differs from what was taken; answers what was taken now. `refunds`:
    those that are followed; None: all.

    Before completion it only notes the money: the target applies when the credits are granted. The caller writes the
    unit.
    """
    if refunds is None:
        refunds = yield from refunds_of(purchase)
    purchase.refunded_minor = sum(refund.amount_minor for refund in refunds if refund.status.counts)
    taken, bonus = Taken(), BonusTaken()
    if purchase.lot_id:
        gone = money_gone(purchase)
        lot = yield from purchase_lot(unit, purchase)
        change = target_credits(purchase.credits, purchase.paid_minor, gone) - purchase.reversed
        if change > 0:
            taken = _take(unit, purchase, lot, change, set_aside=set_aside, caller=caller, description=description)
        elif change < 0:
            yield from _reinstate(environment, unit, purchase, lot, -change)
        bonus = yield from follow_referral(environment, unit, purchase, lot, gone)
    unit.change(purchase)
    return Followed(taken, bonus)


def money_gone(purchase: Purchase) -> int:
    """Money of a purchase that counts as gone back."""
    return reversed_minor(purchase.paid_minor, purchase.refunded_minor, purchase.disputed_minor)


def _take(
    unit: Unit, purchase: Purchase, lot: Lot, amount: int, *, set_aside: bool, caller: str, description: str
) -> Taken:
    taken = claw_back(
        unit.account(purchase.account_id),
        [lot],
        amount,
        expired_taken=purchase.reversed_expired,
        set_aside=set_aside,
        source_id=purchase.purchase_id,
        now_us=unit.now_us,
        ids=unit.ids,
        caller=caller,
        description=description,
    )
    purchase.reversed += taken.total
    purchase.reversed_debt += taken.debt
    purchase.reversed_expired += taken.expired
    return taken


def _reinstate(environment: Environment, unit: Unit, purchase: Purchase, lot: Lot, amount: int) -> Work[None]:
    account = unit.account(purchase.account_id)
    from_lots = purchase.reversed - purchase.reversed_debt - purchase.reversed_expired
    back = Taken(from_lots, purchase.reversed_expired, purchase.reversed_debt).first(amount)
    reinstate(
        account,
        lot,
        back,
        payments=(yield from payments_of(account, back.debt, purchase.purchase_id)),
        lifetime_us=environment.spending.returned_lifetime_us,
        source_id=purchase.purchase_id,
        now_us=unit.now_us,
        ids=unit.ids,
    )
    purchase.reversed -= back.total
    purchase.reversed_debt -= back.debt
    purchase.reversed_expired -= back.expired


def make_debt_good(environment: Environment, unit: Unit, account_id: str, entries: Iterable[Entry]) -> Work[None]:
    """After a deduction was undone or corrected by these entries: credits of a purchase that a clawback found spent,
    and made debt, are there now. They are taken in the stead of the debt, which is given back. So it does not matter
    whether a deduction is undone before a clawback or after."""
    account = unit.account(account_id)
    returned: Counter[str] = Counter()
    for source, destination, amount in entries:
        if source == Place.USAGE and is_lot(destination):
            returned[destination] += amount
    for lot_id, amount in returned.items():
        lot = account.known_lot(lot_id)
        purchase = (yield from unit.purchase(account_id, lot.source_id)) if lot.source_id else None
        if purchase is None or purchase.lot_id != lot_id:
            continue
        there = lot.remaining + lot.expired - purchase.reversed_expired
        good = min(purchase.reversed_debt, amount, there)
        if good:
            _take(unit, purchase, lot, good, set_aside=False, caller="", description="")
            yield from _reinstate(environment, unit, purchase, lot, good)
            unit.change(purchase)
