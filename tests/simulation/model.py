"""The rules of money once more, in the plainest form: an account is a list of lots, and every transaction is predicted.

The ledger says in which order things happened; the model says what each of them must have done. It takes requests by
their key, what was sold by its purchase, and nothing from the product's code.
"""

from functools import partial

from tests.simulation import model_bonuses
from tests.simulation.model_account import ModelTaken, expect

PURCHASE, GRANT, DEDUCTION, DEDUCTION_REVERSAL, PURCHASE_REVERSAL = 1, 2, 3, 4, 5
PURCHASE_REINSTATEMENT, REFUND_SETTLEMENT, BONUS_REVERSAL, EXPIRY, ADJUSTMENT = 6, 7, 8, 9, 10
PROMOTIONAL, PAID = 1, 3
REJECT, UP_TO_AVAILABLE, ALLOW_DEBT = 1, 2, 3


class Model:
    """All accounts, and the requests and sales that may change them."""

    def __init__(self, *, bonus, vesting_us, spending):
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
        self._spending = spending

    def apply(self, account_id, line):
        """Predicts one transaction, in the order of the account's versions."""
        account = self.accounts[account_id]
        account.version += 1
        account.last_id = line.transaction_id
        expect(line.version == account.version, f"{line}: version {account.version} was expected")
        before = account.balance
        _RULES[line.kind](self, account, line)
        expect(line.amount == account.balance - before, f"{line}: an effect of {account.balance - before} was expected")
        expect(line.balance_after == account.balance, f"{line}: a balance of {account.balance} was expected")
        account.history.append(line)

    def _request(self, line, method):
        """The request that a transaction carries out: never a second time."""
        key = line.description
        expect(key in self.requests and self.requests[key].method == method, f"{line}: nobody asked for it")
        expect(key not in self.applied, f"{line}: key {key} has its effect a second time")
        self.applied[key] = line
        return self.requests[key].request

    def _deduct(self, account, line):
        request = self._request(line, "deduct_credits")
        expect(not account.frozen, f"{line}: the account was frozen")
        amount, now_us = request.amount_microcredits, line.now_us
        available = account.available(now_us)
        if request.mode == UP_TO_AVAILABLE:
            amount = min(amount, available)
        account.settle(now_us)
        owed = max(amount - available, 0)
        room = max(account.overdraft_limit - account.debt, 0)
        if request.mode == ALLOW_DEBT:
            room = account.owable(now_us, self._spending.debt_max)
        expect(owed <= room, f"{line}: {available} were there, and {room} could be owed")
        drawn = account.draw(amount - owed, now_us)
        account.debt += owed
        account.spent_us[line.transaction_id] = now_us
        account.spent[line.transaction_id] = ([["debt", owed]] if owed else []) + drawn[::-1]

    def _reverse(self, account, line):
        request = self._request(line, "reverse_deduction")
        expect(request.transaction_id == line.source_id, f"{line}: another deduction was asked for")
        late = line.now_us - account.spent_us[line.source_id] > self._spending.reversal_window_us
        expect(
            self.requests[line.description].admin or not late, f"{line}: it was too late for anybody but an operator"
        )
        parts, skip = account.spent[line.source_id], account.reversed.get(line.source_id, 0)
        left = sum(amount for _, amount in parts) - skip
        wanted = request.amount_microcredits if request.HasField("amount_microcredits") else left
        expect(0 < wanted <= left, f"{line}: {left} were left to reverse")
        account.reversed[line.source_id] = skip + wanted
        for place, amount in parts:
            passed = min(skip, amount)
            skip -= passed
            back = min(wanted, amount - passed)
            wanted -= back
            if place == "debt":
                lifetime_us = self._spending.returned_lifetime_us
                account.give_back_debt(
                    back, line.source_id, line, partial(account.fill_unknown, line, lifetime_us=lifetime_us)
                )
            elif back:
                account.refill(account.lots[place], back, line)
        account.settle(line.now_us)

    def _grant(self, account, line):
        if line.source_id:
            lifetime_us = self._spending.returned_lifetime_us
            model_bonuses.grant(account, line, bonus=self._bonus, vesting_us=self._vesting_us, lifetime_us=lifetime_us)
            return
        request, about = self._request(line, "grant_credits"), {}
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
        lifetime_us = self._spending.returned_lifetime_us
        account.give_back_debt(owed, line.source_id, line, partial(account.fill_unknown, line, lifetime_us=lifetime_us))
        account.refill(lot, amount - owed, line)
        account.settle(line.now_us)

    def _lot_of(self, account, line):
        return account.lots[account.purchase_lots[line.source_id]]

    def _settle_refund(self, account, line):
        account.set_aside -= line.moved(out_of="set_aside", into="reversed")
        expect(account.set_aside >= 0, f"{line}: settles what was not set aside")

    def _expire(self, account, line):
        expired = [lot for lot in account.lots.values() if lot.left and lot.expires_us <= line.now_us]
        expect(expired, f"{line}: nothing had expired")
        for lot in expired:
            lot.left = 0

    def _adjust(self, account, line):
        amount = self._request(line, "adjust_credits").amount_microcredits
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
}
