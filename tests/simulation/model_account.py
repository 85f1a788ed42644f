"""An account as the model sees it: a list of lots, what is owed, and what earlier transactions left to be known of
it."""

from collections import Counter
from dataclasses import dataclass, field

FOREVER = 2**63
CLOCKS_APART_MAX_US = 300_000_000
"""How far the clocks of two processes may be apart."""


class Contradiction(AssertionError):  # noqa: N818 - it reads as what it is
    """The product did what the rules do not allow."""


def expect(condition, words):
    if not condition:
        raise Contradiction(words)


@dataclass
class Line:
    """One transaction as it is stored."""

    transaction_id: str
    version: int
    kind: int
    amount: int
    balance_after: int
    now_us: int
    source_id: str
    description: str
    entries: list
    """(source, destination, amount)."""
    effective_us: int = 0
    """As of when it counts, where that is before `now_us`."""
    card: str = ""
    """The version of the rate card that priced it."""

    def moved(self, *, out_of=None, into=None):
        return sum(
            amount for source, place, amount in self.entries if out_of in (None, source) and into in (None, place)
        )


@dataclass
class ModelLot:
    """Credits of one origin."""

    lot_id: str
    amount: int
    category: int
    created_us: int
    priority: int = 50
    effective_us: int = 0
    """0: at once, whatever a clock says later."""
    expires_us: int = FOREVER
    left: int = 0
    held: int = 0
    ended_to: object = None
    """The bonus that it was, taken back; or the lot that came in its stead."""

    @property
    def order(self):
        return (self.priority, self.expires_us, self.category, self.created_us, self.lot_id)


@dataclass
class ModelTaken:
    """What was taken back of a purchase, or of a bonus."""

    lot: int = 0
    purchase: int = 0
    debt: int = 0


@dataclass
class ModelBonus:
    """One account's bonus for a referral."""

    lot: ModelLot
    due_us: int
    taken: ModelTaken = None
    """None while the referral stands."""
    good: list = field(default_factory=list)
    """What is to be given back at once, for what came back into the lot after it was taken."""

    def came_back(self, amount):
        """Into the lot, and went on."""
        self.taken.lot += amount
        good = min(amount, self.taken.purchase + self.taken.debt - sum(self.good))
        if good:
            self.good.append(good)


@dataclass
class ModelAccount:
    """What one account holds, owes and has had."""

    lots: dict = field(default_factory=dict)
    debt: int = 0
    set_aside: int = 0
    version: int = 0
    last_id: str = ""
    frozen: bool = False
    overdraft_limit: int = 0
    debt_max: int = -1
    spent: dict = field(default_factory=dict)
    """For each deduction what it took, as [place, amount] in the order in which it comes back."""
    spent_us: dict = field(default_factory=dict)
    """When each deduction was made."""
    reversed: dict = field(default_factory=dict)
    purchase_lots: dict = field(default_factory=dict)
    taken: dict = field(default_factory=dict)
    """What was taken back of each purchase."""
    bonuses: dict = field(default_factory=dict)
    """For each purchase that brought one."""
    holds: dict = field(default_factory=dict)
    limits: dict = field(default_factory=dict)
    """By (spender, window)."""
    captures: dict = field(default_factory=dict)
    """For each charge of a hold: the hold, and what was charged above it."""
    history: list = field(default_factory=list)
    """Lines, oldest first."""

    @property
    def balance(self):
        return sum(lot.left + lot.held for lot in self.lots.values()) - self.debt

    @property
    def held(self):
        return sum(lot.held for lot in self.lots.values())

    def moment(self, clock_us):
        """Not before the last transaction, as far as clocks may differ."""
        last_us = self.history[-1].now_us if self.history else 0
        return last_us if 0 < last_us - clock_us <= CLOCKS_APART_MAX_US else clock_us

    def note_spent(self, line, parts):
        self.spent[line.transaction_id], self.spent_us[line.transaction_id] = parts, line.now_us

    def usable(self, now_us):
        """Lots that may be spent, in the published order."""
        open_lots = (lot for lot in self.lots.values() if lot.left and lot.effective_us <= now_us < lot.expires_us)
        return sorted(open_lots, key=lambda lot: lot.order)

    def available(self, now_us):
        """What a deduction may take, the account not being frozen."""
        return max(sum(lot.left for lot in self.usable(now_us)) - self.debt, 0)

    def owable(self, now_us, debt_max):
        """What ALLOW_DEBT may add to the debt; `debt_max` holds where the account has no bound of its own."""
        bound = max(debt_max if self.debt_max < 0 else self.debt_max, self.overdraft_limit)
        return self._room_to_owe(bound, now_us)

    def overdraft_room(self, now_us):
        """What may be owed without ALLOW_DEBT."""
        return self._room_to_owe(self.overdraft_limit, now_us)

    def _room_to_owe(self, bound, now_us):
        return max(bound - max(self.debt - sum(lot.left for lot in self.usable(now_us)), 0), 0)

    def draw(self, amount, now_us):
        drawn = []
        for lot in self.usable(now_us):
            part = min(amount, lot.left)
            if part:
                lot.left -= part
                amount -= part
                drawn.append([lot.lot_id, part])
        expect(amount == 0, f"{amount} more were spent than there were")
        return drawn

    def name(self, lot, lot_id):
        """A lot that was made with nothing in it is heard of."""
        lot.lot_id = lot_id
        self.lots[lot_id] = lot

    def settle(self, now_us):
        paid = min(self.debt, sum(lot.left for lot in self.usable(now_us)))
        self.draw(paid, now_us)
        self.debt -= paid

    def fill(self, line, amount, **about):
        """A lot that the account has not had before. Its name is the ledger's."""
        lot_id = next(
            (place for _, place, _ in line.entries if place.startswith("lot_") and place not in self.lots), None
        )
        expect(lot_id is not None, f"{line} makes no lot")
        self.lots[lot_id] = ModelLot(lot_id, amount, created_us=line.now_us, left=amount, **about)
        return lot_id

    def fill_unknown(self, line, amount, payers, lifetime_us):
        """For what came back of settled debt and belongs to nobody known: it ends before long, and no later than any of
        the payers that are known."""
        ends_us = [lot.expires_us for lot_id, _ in payers if not (lot := self.lots[lot_id]).ended_to]
        self.fill(line, amount, category=1, expires_us=min([line.now_us + lifetime_us, *ends_us]))

    def give_back_debt(self, amount, cause, line, unknown):
        """What once became debt: still owed, or back to those that paid, or to nobody that is known."""
        repaid = min(amount, self.debt)
        self.debt -= repaid
        left = amount - repaid
        payers = self._payers(cause, left)
        for lot_id, paid in payers:
            lot = self.lots[lot_id]
            part = min(left, paid if lot.ended_to else min(paid, lot.amount - lot.left - lot.held))
            if part:
                self.refill(lot, part, line)
            left -= part
        if left:
            unknown(left, payers)

    def _payers(self, cause, wanted):
        """The last payer first: what each paid and was not given back for the same cause."""
        back, found = Counter(), []
        for line in reversed(self.history):
            if line.transaction_id == cause or sum(paid for _, paid in found) >= wanted:
                break
            for source, place, amount in reversed(line.entries):
                if line.source_id == cause and place.startswith("lot_") and not source.startswith("lot_"):
                    back[place] += amount
                elif place == "debt" and source.startswith("lot_"):
                    given = min(back[source], amount)
                    back[source] -= given
                    if amount > given:
                        found.append((source, amount - given))
        return found

    def refill(self, lot, amount, line):
        """Back to where it came from; what has no room there becomes a lot beside it."""
        if isinstance(lot.ended_to, ModelBonus):
            lot.ended_to.came_back(amount)
            return
        if lot.ended_to:
            if not lot.ended_to.lot_id:
                self.name(lot.ended_to, next(place for source, place, _ in line.entries if source == lot.lot_id))
            self.refill(lot.ended_to, amount, line)
            return
        room = min(amount, lot.amount - lot.left - lot.held)
        lot.left += room
        if amount > room:
            alike = {"priority": lot.priority, "effective_us": lot.effective_us, "expires_us": lot.expires_us}
            self.fill(line, amount - room, category=lot.category, **alike)
