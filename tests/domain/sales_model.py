"""A purchase and a referral's bonus beside an account in memory, moved by the domain as the commands move them."""

from billing_service.domain.ledger.entries import Place
from billing_service.domain.ledger.settled_debt import recent_payments
from billing_service.domain.promotions.bonuses import (
    BonusTaken,
    claw_back_bonus,
    make_good,
    restore_bonus,
    take_what_is_left,
)
from billing_service.domain.sales.clawbacks import Taken, claw_back, reinstate, settle_set_aside
from billing_service.domain.spending.deductions import DeductionMode, deduct
from billing_service.domain.spending.reversals import DeductionToReverse, reverse_deduction
from tests.domain.ledger_model import NOW_US, PAID, PROMOTIONAL, granted

LIFETIME_US = 1_000


def payments_of(account, amount, cause):
    settled = amount - account.debt
    return recent_payments(reversed(account.transactions), cause, settled) if settled > 0 else []


class Sale:
    """One purchase of an account."""

    def __init__(self, account, amount, *, ids, source_id="pur_1", **about):
        self.account, self.ids, self.source_id = account, ids, source_id
        self.lot = granted(account, amount, PAID, ids=ids, source_id=source_id, **about)
        self.taken = Taken()

    def take(self, amount, *, now_us=NOW_US, set_aside=False):
        about = {"source_id": self.source_id, "now_us": now_us, "ids": self.ids, "caller": "web", "description": "why"}
        taken = claw_back(
            self.account, [self.lot], amount, expired_taken=self.taken.expired, set_aside=set_aside, **about
        )
        self.taken = Taken(*map(sum, zip(self.taken, taken, strict=True)))
        return taken

    def settle(self, amount, *, now_us=NOW_US):
        return settle_set_aside(self.account, amount, source_id="ref_1", now_us=now_us, ids=self.ids)

    def give_back(self, amount, *, now_us=NOW_US):
        back = self.taken.first(amount)
        payments = payments_of(self.account, back.debt, self.source_id)
        about = {"source_id": self.source_id, "now_us": now_us, "ids": self.ids}
        transaction = reinstate(self.account, self.lot, back, payments=payments, lifetime_us=LIFETIME_US, **about)
        self.taken = Taken(*(before - gone for before, gone in zip(self.taken, back, strict=True)))
        return transaction

    def follow(self, target, **about):
        """Brings what is taken to an absolute target."""
        change = target - self.taken.total
        if change > 0:
            self.take(change, **about)
        elif change < 0:
            self.give_back(-change, **about)


class Bonus:
    """The buyer's bonus of the sale that earned it, or the referrer's, for which `sale` is None."""

    def __init__(self, account, amount, sale=None, *, ids, **about):
        self.account, self.ids, self.sale = account, ids, sale
        self.lot = granted(account, amount, PROMOTIONAL, ids=ids, source_id="pur_1", **about)
        self.taken, self.fallen = BonusTaken(), False

    def fall(self, *, now_us=NOW_US):
        about = {"source_id": "pur_1", "now_us": now_us, "ids": self.ids}
        if self.sale is None:
            self.taken = BonusTaken(lot=take_what_is_left(self.account, self.lot, **about))
        else:
            self.taken = claw_back_bonus(self.account, self.lot, [self.sale.lot], **about)
        self.fallen = True

    def rise(self, *, now_us=NOW_US, due_us=0):
        restored = restore_bonus(
            self.account,
            self.lot,
            self.taken,
            purchase_lot=self.sale and self.sale.lot,
            payments=payments_of(self.account, self.taken.debt, "pur_1"),
            due_us=due_us,
            lifetime_us=LIFETIME_US,
            source_id="pur_1",
            now_us=now_us,
            ids=self.ids,
        )
        self.lot, self.taken, self.fallen = restored or self.lot, BonusTaken(), False

    def note(self, transaction, *, now_us=NOW_US):
        """What came back into the ended lot by a transaction."""
        back = sum(
            amount
            for source, place, amount in transaction.entries
            if (source, place) == (self.lot.lot_id, Place.BONUSES)
        )
        if back and self.sale is None:
            self.taken = self.taken._replace(lot=self.taken.lot + back)
        elif back:
            self.taken = make_good(
                self.account,
                back,
                self.taken,
                purchase_lot=self.sale.lot,
                payments=payments_of(self.account, min(back, self.taken.debt), "pur_1"),
                lifetime_us=LIFETIME_US,
                source_id="pur_1",
                now_us=now_us,
                ids=self.ids,
            )


def undo(account, deduction, amount=None, already=0, *, ids, now_us=NOW_US, **about):
    """Reverses a deduction, its debt's payers looked up; answers the reversal."""
    asked = DeductionToReverse(deduction, already)
    payments = payments_of(account, asked.debt_part(amount), deduction.transaction_id)
    return reverse_deduction(account, asked, amount, payments, now_us=now_us, ids=ids, **about)


def spend(account, amount, *, ids, now_us=NOW_US):
    deduct(account, amount, DeductionMode.ALLOW_DEBT, now_us=now_us, ids=ids)
    return account.transactions[-1]
