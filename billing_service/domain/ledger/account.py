"""An account in memory, locked: what it holds. `posting` is how it changes."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing_service.domain.ledger.amounts import BALANCE_MAX
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.ledger.chain import GENESIS
from billing_service.domain.ledger.entries import Transaction
from billing_service.domain.ledger.events import BusinessEvent
from billing_service.domain.ledger.ids import Ids as Ids  # noqa: PLC0414 - whoever has accounts has it too
from billing_service.domain.ledger.lots import Category, Lot, burn_down_order
from billing_service.domain.ledger.spend_limits import LimitedCharge, SpendLimit
from billing_service.domain.times import US_PER_S

if TYPE_CHECKING:
    from billing_service.domain.ledger.holds import Hold


CLOCKS_APART_MAX_US = 300 * US_PER_S
"""How far the clocks of two processes may be apart."""


@dataclass(slots=True)
class Account:
    """State of one account: the cache that entries can recompute."""

    account_id: str
    version: int = 0
    last_transaction_id: str = ""
    last_hash: bytes = GENESIS
    balance: int = 0  # what lots hold less what is owed
    debt: int = 0
    set_aside: int = 0
    overdraft_limit: int = 0
    frozen: bool = False
    debt_max: int = -1
    """What ALLOW_DEBT may bring the debt to; -1: as the settings say."""
    behind: int = 0
    """How many of its newest transactions an older program wrote, uncounted in what newer schemas keep of them."""
    held: int = 0
    """What its open holds reserve: part of the balance, and of no lot's `remaining`."""
    holds_open: int = 0
    holds_end_us: int | None = None
    """No open hold ends before. None: there is none."""
    last_time_us: int = 0  # of its last transaction that is written
    limits_version: int = 0  # counts changes of its spend limits and of `low_balance`; 0: it never had one
    low_balance: int = 0  # where less is available, it is told; 0: never
    lots: list[Lot] = field(default_factory=list)
    """Lots with something left, in burn-down order, and other lots that this unit of work fetched."""
    changed_lots: dict[str, Lot] = field(default_factory=dict)
    new_lots: list[Lot] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    """Decided and not yet written."""
    events: list[BusinessEvent] = field(default_factory=list)
    """Of thresholds that what was decided crosses; not yet written."""
    empty_before: set[str] = field(default_factory=set)
    """Lots that had nothing left when something came back into them."""
    rewritten: frozenset[str] = frozenset()
    """Lots of which more than what they have left changed."""
    taken_back: dict[str, int | None] = field(default_factory=dict)
    """Lots that end because they are taken back, not yet written, and when they would have ended; None: never."""
    holds: "dict[str, Hold]" = field(default_factory=dict)
    """Those that this unit of work fetched or made, by id."""
    new_holds: "dict[str, Hold]" = field(default_factory=dict)
    changed_holds: "dict[str, Hold]" = field(default_factory=dict)
    limits: dict[str, list[SpendLimit]] = field(default_factory=dict)
    """By spender, in order of their windows; an empty list where a spender is known to have none."""
    changed_limits: dict[tuple[str, int], SpendLimit] = field(default_factory=dict)
    limited_charges: list[LimitedCharge] = field(default_factory=list)
    counted_at_limits: int = 0
    """How many of the decided transactions are counted."""
    writes_holds_end: bool = False
    """Whether `holds_end_us` may be another one than is stored."""
    has_passed_on: bool = False
    """Whether something came back into a lot that was taken back, and went on at once."""

    def moment(self, clock_us: int) -> int:
        """The time of what happens to it now: not before its last transaction, which the clock of another process may
        have made. So what one process saw end has ended for all. A time further ahead was a clock's mistake, which must
        not bind the account once it is mended."""
        return self.last_time_us if 0 < self.last_time_us - clock_us <= CLOCKS_APART_MAX_US else clock_us

    def has_ended_holds(self, now_us: int) -> bool:
        """Whether a hold may have ended that is not booked yet."""
        return self.holds_end_us is not None and self.holds_end_us <= now_us

    def spendable(self, now_us: int) -> int:
        """Microcredits that lots offer now, debt not counted."""
        offered = 0
        for lot in self.lots:
            if lot.spendable(now_us):
                offered += lot.remaining
        return offered

    def has_room(self, amount: int) -> bool:
        """Whether the account may be granted `amount` more."""
        return self.balance + self.debt + amount <= BALANCE_MAX

    def forget_decided(self) -> None:
        """What was decided is written now."""
        self.last_time_us = self.transactions[-1].create_time_us if self.transactions else self.last_time_us
        self.transactions = []
        self.events = []
        self.limited_charges = []
        self.counted_at_limits = 0
        self.rewritten = frozenset()
        self.has_passed_on = self.writes_holds_end = False
        for lots in (self.new_lots, self.changed_lots, self.empty_before, self.taken_back):
            lots.clear()
        for beside in (self.new_holds, self.changed_holds, self.changed_limits):
            beside.clear()

    def lot(self, lot_id: str) -> Lot | None:
        for lot in self.lots:
            if lot.lot_id == lot_id:
                return lot
        return None

    def known_lot(self, lot_id: str) -> Lot:
        """A lot that the unit of work has fetched."""
        found = self.lot(lot_id)
        assert found is not None, "the unit of work fetches the lots that it moves credits of"
        return found

    def add_lot(self, lot: Lot) -> None:
        self.lots.append(lot)
        self.lots.sort(key=burn_down_order)

    def show(self, now_us: int) -> Balance:
        """The balance as callers see it. Debt is counted against spendable lots in burn-down order, as the next write
        books it."""
        owed = self.debt
        by_category = {Category.PROMOTIONAL: 0, Category.PLAN: 0, Category.PAID: 0}
        waiting = self.set_aside
        expiry_us: int | None = None
        expiring = 0
        for lot in self.lots:
            left = lot.remaining
            if left == 0 or lot.has_expired(now_us):
                continue
            if lot.effective_time_us > now_us:
                waiting += left
                continue
            if owed:
                settled = min(owed, left)
                owed -= settled
                left -= settled
                if left == 0:
                    continue
            by_category[lot.category] += left
            if lot.expire_time_us is not None:
                if expiry_us is None or lot.expire_time_us < expiry_us:
                    expiry_us, expiring = lot.expire_time_us, 0
                if lot.expire_time_us == expiry_us:
                    expiring += left
        promotional, plan, paid = by_category.values()
        available = promotional + plan + paid
        if self.frozen:
            waiting, available, promotional, plan, paid = waiting + available, 0, 0, 0, 0
            expiry_us, expiring = None, 0
        amounts = (available, self.held, waiting, owed, promotional, plan, paid)
        return Balance(self.account_id, *amounts, expiry_us, expiring, now_us, self.version)
