"""How an account changes: one transaction at a time. Everything here is decided, nothing is stored."""

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.amounts import BALANCE_MAX
from billing_service.domain.ledger.chain import link
from billing_service.domain.ledger.entries import MAY_MOVE_NOTHING, Draw, Entry, Place, Transaction, TransactionKind
from billing_service.domain.ledger.ids import Ids
from billing_service.domain.ledger.lots import Lot
from billing_service.domain.refusals import balance_limit_reached


class Posting:
    """Builds one transaction of one account: moves credits between places and keeps the account's state in step."""

    __slots__ = ("account", "draws", "effective_us", "entries", "now_us", "start_balance")

    def __init__(self, account: Account, now_us: int, *, effective_us: int | None = None) -> None:
        """`effective_us`: as of when it counts, where that is before now."""
        self.account = account
        self.now_us = now_us
        self.effective_us = now_us if effective_us is None else effective_us
        self.entries: list[Entry] = []
        self.draws: list[Draw] = []
        self.start_balance = account.balance

    def out_of_lot(self, lot: Lot, destination: str, amount: int) -> None:
        assert 0 < amount <= lot.remaining, "no lot goes below zero"
        lot.remaining -= amount
        self.account.changed_lots[lot.lot_id] = lot
        self.entries.append(Entry(lot.lot_id, destination, amount))
        self.draws.append(Draw(lot.lot_id, lot.category, amount))
        self.account.balance -= amount

    def into_lot(self, lot: Lot, source: str, amount: int) -> None:
        assert amount > 0
        if self.account.balance + amount > BALANCE_MAX:
            raise balance_limit_reached(BALANCE_MAX)
        if lot.remaining == 0:
            self.account.empty_before.add(lot.lot_id)
        lot.remaining += amount
        self.account.changed_lots[lot.lot_id] = lot
        self.entries.append(Entry(source, lot.lot_id, amount))
        self.draws.append(Draw(lot.lot_id, lot.category, -amount))
        self.account.balance += amount

    def into_new_lot(self, lot: Lot, source: str) -> None:
        """Fills an empty lot that the account has not had before."""
        self.open_lot(lot)
        self.into_lot(lot, source, lot.amount)

    def open_lot(self, lot: Lot) -> None:
        """Gives the account a lot that it has not had before, with nothing in it yet."""
        assert lot.remaining == 0
        self.account.new_lots.append(lot)
        self.account.add_lot(lot)

    def expire_lot(self, lot: Lot) -> None:
        """Books what ran out of a lot, if anything did."""
        if lot.remaining and lot.has_expired(self.now_us):
            lot.expired += lot.remaining
            self.account.rewritten |= {lot.lot_id}
            self.out_of_lot(lot, Place.EXPIRED, lot.remaining)

    def borrow(self, destination: str, amount: int) -> None:
        """Lets the account owe `amount` more."""
        assert amount > 0
        if self.account.debt + amount > BALANCE_MAX:
            raise balance_limit_reached(BALANCE_MAX)
        self.account.debt += amount
        self.entries.append(Entry(Place.DEBT, destination, amount))
        self.account.balance -= amount

    def repay(self, source: str, amount: int) -> None:
        """Lets the account owe `amount` less, paid from outside its lots."""
        assert 0 < amount <= self.account.debt
        self.account.debt -= amount
        self.entries.append(Entry(source, Place.DEBT, amount))
        self.account.balance += amount

    def spend(self, destination: str, amount: int) -> int:
        """Draws up to `amount` from spendable lots in burn-down order; answers what it got."""
        left = amount
        for lot in self.account.lots:
            if left == 0:
                break
            if lot.spendable(self.effective_us):
                part = min(left, lot.remaining)
                self.out_of_lot(lot, destination, part)
                left -= part
        return amount - left

    def settle_debt(self) -> None:
        """Pays debt from spendable lots at once, in burn-down order: there is debt only where nothing is available."""
        account = self.account
        if account.debt:
            paid = self.spend(Place.DEBT, account.debt)
            account.debt -= paid
            account.balance += paid

    def set_aside(self, amount: int) -> None:
        """Books that `amount`, moved by entries to SET_ASIDE, waits there."""
        self.account.set_aside += amount

    def close(
        self,
        ids: Ids,
        kind: TransactionKind,
        *,
        source_id: str = "",
        caller: str = "",
        description: str = "",
        metadata: str = "",
        price_record: bytes = b"",
    ) -> Transaction:
        """Ends the transaction: the account's next version. `price_record` is why a charge is what it is; empty for
        none."""
        account = self.account
        assert self.entries or kind in MAY_MOVE_NOTHING, (
            "a transaction without entries would be an effect without a row"
        )
        account.version += 1
        transaction = Transaction(
            ids("txn"),
            account.account_id,
            account.version,
            account.last_transaction_id,
            kind,
            account.balance - self.start_balance,
            account.balance,
            self.now_us,
            source_id,
            caller,
            description,
            metadata,
            self.entries,
            self.draws,
            effective_time_us=0 if self.effective_us == self.now_us else self.effective_us,
            salt=ids.salt() if description or metadata else b"",
            price_record=price_record,
        )
        transaction.hash = link(account.last_hash, transaction)
        account.last_transaction_id = transaction.transaction_id
        account.last_hash = transaction.hash
        account.transactions.append(transaction)
        return transaction
