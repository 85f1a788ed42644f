"""The rules of money once more, in the plainest form: an account is a list of lots, and every transaction is predicted.

The ledger says in which order things happened; the model says what each of them must have done. It takes requests by
their key, what was sold by its purchase, and nothing from the product's code.
"""

from functools import partial
from math import ceil

from tests.simulation import model_bonuses, model_holds, model_limits
from tests.simulation.model_account import CLOCKS_APART_MAX_US, ModelTaken, expect

PURCHASE, GRANT, DEDUCTION, DEDUCTION_REVERSAL, PURCHASE_REVERSAL = 1, 2, 3, 4, 5
PURCHASE_REINSTATEMENT, REFUND_SETTLEMENT, BONUS_REVERSAL, EXPIRY, ADJUSTMENT = 6, 7, 8, 9, 10
HOLD, HOLD_RELEASE = 11, 12
PROMOTIONAL, PAID = 1, 3
REJECT, UP_TO_AVAILABLE, ALLOW_DEBT = 1, 2, 3
CLOCK_AHEAD_MAX_US = 20_000_000
"""Usage is priced before its charge is decided, by a clock that may have been set back since."""


class Model:
    """All accounts, and the requests and sales that may change them."""

    def __init__(self, *, bonus, vesting_us, spending, prices):
        """`prices`: (from when, microcredits for a token with their markup) by version of the rate card."""
        self.accounts = {}
        self.requests = {}
        """Operations by key, as the callers sent them."""
        self.sales = {}
        """(account, credits) by purchase."""
        self.may_complete = lambda _purchase_id: True
        self.applied = {}
        """The transaction of each key that had its effect."""
        self._bonus = bonus
        self._vesting_us = vesting_us
        self.spending = spending
        self.card_of = {}
        """The version of the rate card that each hold was made by; empty where its amount was named."""
        self._prices = prices

    def apply(self, account_id, line):
        """Predicts one transaction, in the order of the account's versions."""
        account = self.accounts[account_id]
        account.version += 1
        account.last_id = line.transaction_id
        expect(line.version == account.version, f"{line}: version {account.version} was expected")
        before, last_us = account.balance, account.history[-1].now_us if account.history else 0
        is_behind = 0 < last_us - line.now_us <= CLOCKS_APART_MAX_US
        expect(not is_behind, f"{line}: the account's last transaction was made at {last_us}")
        _RULES[line.kind](self, account, line)
        self._count(account, line)
        expect(line.amount == account.balance - before, f"{line}: an effect of {account.balance - before} was expected")
        expect(line.balance_after == account.balance, f"{line}: a balance of {account.balance} was expected")
        account.history.append(line)

    def request_of(self, line, *methods):
        """The request that a transaction carries out: never a second time."""
        key = line.description
        expect(key in self.requests and self.requests[key].method in methods, f"{line}: nobody asked for it")
        expect(key not in self.applied, f"{line}: key {key} has its effect a second time")
        self.applied[key] = line
        return self.requests[key].request

    def price_of(self, request, line):
        """The amount that a request names, or what its usage costs: by the card of its hold, if that has one."""
        if not request.HasField("usage"):
            return request.amount_microcredits
        version = line.card or self.card_of.get(line.source_id, "")
        pinned = self.card_of.get(line.source_id) or version
        expect(version in self._prices and version == pinned, f"{line}: priced by {version!r}, its hold by {pinned!r}")
        from_us, price = self._prices[version]
        expect(from_us <= line.now_us + CLOCK_AHEAD_MAX_US, f"{line}: the card {version!r} is not in force yet")
        return ceil(request.usage.lines[0].quantity * price)

    def _count(self, account, line):
        """What the transaction charged and gave back, at the limits."""
        hold = account.holds.get(line.source_id)
        charged = sum(
            amount
            for source, place, amount in line.entries
            if (place == "usage" or place.startswith("held:")) and not source.startswith("held:")
        )
        back = sum(amount for source, place, amount in line.entries if source.startswith("held:") and place != "usage")
        if hold is not None:
            model_limits.count(account, hold.spenders, charged, line.now_us)
            model_limits.give_back(account, hold.spenders, back, hold.created_us, line.now_us)
        elif line.kind == DEDUCTION:
            model_limits.count(account, self.requests[line.description].request.spender_ids, charged, line.now_us)

    def _deduct(self, account, line):
        if line.source_id:
            model_holds.charge(self, account, line)
            return
        request = self.request_of(line, "deduct_credits")
        expect(not account.frozen, f"{line}: the account was frozen")
        now_us = line.now_us
        available, room = account.available(now_us), model_limits.room(account, request.spender_ids, now_us)
        amount = self.price_of(request, line)
        if request.mode == UP_TO_AVAILABLE:
            amount = min(amount, available, room)
        expect(request.mode != REJECT or amount <= room, f"{line}: limits had room for {room}")
        account.settle(now_us)
        owed = max(amount - available, 0)
        may_owe = request.mode == ALLOW_DEBT
        owable = account.owable(now_us, self.spending.debt_max) if may_owe else account.overdraft_room(now_us)
        expect(owed <= owable, f"{line}: {available} were there, and {owable} could be owed")
        drawn = account.draw(amount - owed, now_us)
        account.debt += owed
        account.note_spent(line, ([["debt", owed]] if owed else []) + drawn[::-1])

    def _reverse(self, account, line):
        request = self.request_of(line, "reverse_deduction")
        expect(request.transaction_id == line.source_id, f"{line}: another deduction was asked for")
        late = line.now_us - account.spent_us[line.source_id] > self.spending.reversal_window_us
        expect(
            self.requests[line.description].admin or not late, f"{line}: it was too late for anybody but an operator"
        )
        parts, before = account.spent[line.source_id], account.reversed.get(line.source_id, 0)
        skip = before
        left = sum(amount for _, amount in parts) - skip
        wanted = request.amount_microcredits if request.HasField("amount_microcredits") else left
        expect(0 < wanted <= left, f"{line}: {left} were left to reverse")
        account.reversed[line.source_id] = before + wanted
        self._uncount(account, line, before, wanted)
        for place, amount in parts:
            passed = min(skip, amount)
            skip -= passed
            back = min(wanted, amount - passed)
            wanted -= back
            if place == "debt":
                lifetime_us = self.spending.returned_lifetime_us
                account.give_back_debt(
                    back, line.source_id, line, partial(account.fill_unknown, line, lifetime_us=lifetime_us)
                )
            elif back:
                account.refill(account.lots[place], back, line)
        account.settle(line.now_us)

    def _uncount(self, account, line, before, amount):
        """What is undone is given back at the limits where it was counted: what was charged above a hold when it was
        captured, and comes back first; the rest when the hold was made."""
        charged_us, hold = account.spent_us[line.source_id], None
        spenders, of_above = (), amount
        if line.source_id in account.captures:
            hold_id, above = account.captures[line.source_id]
            hold = account.holds[hold_id]
            spenders, of_above = hold.spenders, min(amount, max(above - before, 0))
        else:
            spenders = self.requests[self._charge_of(account, line.source_id).description].request.spender_ids
        model_limits.give_back(account, spenders, of_above, charged_us, line.now_us)
        if hold is not None:
            model_limits.give_back(account, spenders, amount - of_above, hold.created_us, line.now_us)

    @staticmethod
    def _charge_of(account, transaction_id):
        return next(line for line in account.history if line.transaction_id == transaction_id)

    def _grant(self, account, line):
        if line.source_id:
            lifetime_us = self.spending.returned_lifetime_us
            model_bonuses.grant(account, line, bonus=self._bonus, vesting_us=self._vesting_us, lifetime_us=lifetime_us)
            return
        request, about = self.request_of(line, "grant_credits"), {}
        if request.HasField("expire_time"):
            about["expires_us"] = request.expire_time.ToMicroseconds()
        if request.HasField("effective_time") and request.effective_time.ToMicroseconds() > line.now_us:
            about["effective_us"] = request.effective_time.ToMicroseconds()
        account.fill(line, request.amount_microcredits, category=request.category, priority=request.priority, **about)
        account.settle(line.now_us)

    def _take_bonus(self, account, line):
        model_bonuses.take(account, line)

    def _complete(self, account, line):
        purchase_id = line.source_id
        expect(purchase_id in self.sales, f"{line}: nothing was sold")
        expect(purchase_id not in account.purchase_lots, f"{line}: granted a second time")
        expect(self.may_complete(purchase_id), f"{line}: nobody paid for it")
        account.purchase_lots[purchase_id] = account.fill(line, self.sales[purchase_id], category=PAID)
        account.taken[purchase_id] = ModelTaken()
        account.settle(line.now_us)

    def _take_back(self, account, line):
        aside = line.moved(into="set_aside")
        amount = aside + line.moved(into="reversed")
        lot, taken = self._lot_of(account, line), account.taken[line.source_id]
        from_lot = min(amount, lot.left)
        lot.left -= from_lot
        account.debt += amount - from_lot
        account.set_aside += aside
        taken.lot += from_lot
        taken.debt += amount - from_lot
        account.settle(line.now_us)

    def _reinstate(self, account, line):
        amount, lot, taken = line.moved(out_of="reversed"), self._lot_of(account, line), account.taken[line.source_id]
        expect(0 < amount <= taken.lot + taken.debt, f"{line}: gives back more than was taken")
        owed = min(amount, taken.debt)
        taken.debt -= owed
        taken.lot -= amount - owed
        lifetime_us = self.spending.returned_lifetime_us
        account.give_back_debt(owed, line.source_id, line, partial(account.fill_unknown, line, lifetime_us=lifetime_us))
        account.refill(lot, amount - owed, line)
        account.settle(line.now_us)

    def _lot_of(self, account, line):
        return account.lots[account.purchase_lots[line.source_id]]

    def _settle_refund(self, account, line):
        account.set_aside -= line.moved(out_of="set_aside", into="reversed")
        expect(account.set_aside >= 0, f"{line}: settles what was not set aside")

    def _expire(self, account, line):
        """As of one end, the earliest of those that are not booked."""
        ended_us = line.effective_us or line.now_us
        expired = [lot for lot in account.lots.values() if lot.left and lot.expires_us == ended_us]
        expect(expired and ended_us <= line.now_us, f"{line}: nothing had expired")
        for lot in expired:
            lot.left = 0

    def _adjust(self, account, line):
        amount = self.request_of(line, "adjust_credits").amount_microcredits
        if amount > 0:
            account.fill(line, amount, category=PROMOTIONAL)
            account.settle(line.now_us)
        else:
            account.settle(line.now_us)
            account.draw(-amount, line.now_us)


_RULES = {
    PURCHASE: Model._complete,
    GRANT: Model._grant,
    DEDUCTION: Model._deduct,
    DEDUCTION_REVERSAL: Model._reverse,
    PURCHASE_REVERSAL: Model._take_back,
    PURCHASE_REINSTATEMENT: Model._reinstate,
    REFUND_SETTLEMENT: Model._settle_refund,
    BONUS_REVERSAL: Model._take_bonus,
    EXPIRY: Model._expire,
    ADJUSTMENT: Model._adjust,
    HOLD: model_holds.reserve,
    HOLD_RELEASE: model_holds.release,
}
