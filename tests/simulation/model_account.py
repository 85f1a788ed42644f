"""An account as the model sees it: a list of lots, what is owed, and what earlier transactions left to be known of it."""

from dataclasses import dataclass, field

FOREVER = 2**63


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

    def moved(self, *, out_of=None, into=None):
        return sum(amount for source, place, amount in self.entries if out_of in (None, source) and into in (None, place))


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

    @property
    def order(self):
        return (self.priority, self.expires_us, self.category, self.created_us, self.lot_id)


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
    """Credits taken back for each purchase."""
    bonuses: dict = field(default_factory=dict)
    """For each purchase that brought a bonus: [its lot, what was taken back of it]."""

    @property
    def balance(self):
        return sum(lot.left for lot in self.lots.values()) - self.debt

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

    def settle(self, now_us):
        paid = min(self.debt, sum(lot.left for lot in self.usable(now_us)))
        self.draw(paid, now_us)
        self.debt -= paid

    def fill(self, line, amount, **about):
        """A lot that the account has not had before. Its name is the ledger's."""
        lot_id = next((place for _, place, _ in line.entries if place.startswith("lot_") and place not in self.lots), None)
        expect(lot_id is not None, f"{line} makes no lot")
        self.lots[lot_id] = ModelLot(lot_id, amount, created_us=line.now_us, left=amount, **about)
        return lot_id

    def give_back(self, lot, amount, line):
        """To debt first, then to the lot; what has no room there becomes a lot beside it."""
        repaid = min(amount, self.debt)
        self.debt -= repaid
        self.refill(lot, amount - repaid, line)
        self.settle(line.now_us)

    def refill(self, lot, amount, line):
        room = min(amount, lot.amount - lot.left)
        lot.left += room
        if amount > room:
            alike = {"priority": lot.priority, "effective_us": lot.effective_us, "expires_us": lot.expires_us}
            self.fill(line, amount - room, category=lot.category, **alike)
