"""Sees every commit: feeds the model with what is new, and holds the stored state against it."""

from collections import defaultdict

from tests.simulation.model_account import Line, ModelAccount, ModelTaken, expect

_ACCOUNTS = (
    "SELECT account_id, version, last_transaction_id, balance, debt, set_aside, frozen, overdraft_limit, debt_max "
    "FROM accounts"
)
_TRANSACTION = (
    "SELECT transaction_id, version, kind, amount, balance_after, create_time_us, source_id, description, previous_id"
    " FROM transactions WHERE transaction_id = ? AND account_id = ?"
)
_ENTRIES = (
    "SELECT source, destination, amount FROM entries WHERE transaction_id = ? AND account_id = ? ORDER BY position"
)
_LOTS = "SELECT lot_id, remaining FROM lots WHERE account_id = ? AND remaining > 0"
_SALES = "SELECT purchase_id, credits FROM purchases WHERE account_id = ?"
_TAKEN = "SELECT purchase_id, credits, status, paid_minor, reversed, lot_id FROM purchases WHERE account_id = ?"
_REFUNDS = "SELECT purchase_id, amount_minor, status, requires_settlement, reversed FROM refunds WHERE account_id = ?"
GONE = ("PENDING", "SUCCEEDED")
"""Statuses of a refund whose money counts as gone back."""


def target(credits_sold, paid_minor, gone_minor):
    """Credits that must have been taken back when so much money went back: rounded up, all of them when all went
    back."""
    gone_minor = min(paid_minor, gone_minor)
    return (credits_sold * gone_minor + paid_minor - 1) // paid_minor if paid_minor else 0


class Witness:
    """Compares after every commit; `commits` counts them."""

    def __init__(self, model, note_offers):
        self.model = model
        self._note_offers = note_offers
        self.commits = 0

    def __call__(self, raw):
        self.commits += 1
        for row in raw.execute(_ACCOUNTS).fetchall():
            account_id, version, last_id, balance, debt, set_aside, frozen, overdraft_limit, debt_max = row
            account = self.model.accounts.setdefault(account_id, ModelAccount())
            if last_id != account.last_id:
                self._follow(raw, account_id, account, last_id)
                stored = dict(raw.execute(_LOTS, (account_id,)).fetchall())
                held = {lot.lot_id: lot.left for lot in account.lots.values() if lot.left}
                expect(stored == held, f"{account_id}: lots hold {stored}, {held} were expected")
            found = (version, balance, debt, set_aside)
            wanted = (account.version, account.balance, account.debt, account.set_aside)
            expect(
                found == wanted,
                f"{account_id}: version, balance, debt and set aside are {found}, {wanted} were expected",
            )
            account.frozen, account.overdraft_limit, account.debt_max = bool(frozen), overdraft_limit, debt_max
            self._check_purchases(raw, account_id, account)

    def _follow(self, raw, account_id, account, newest):
        """Applies the transactions since the last commit, oldest first."""
        self.model.sales.update(raw.execute(_SALES, (account_id,)).fetchall())
        new = []
        while newest != account.last_id:
            row = raw.execute(_TRANSACTION, (newest, account_id)).fetchone()
            expect(
                row is not None and len(new) < 100, f"{account_id}: the chain does not lead back to {account.last_id!r}"
            )
            new.append(Line(*row[:8], entries=raw.execute(_ENTRIES, (newest, account_id)).fetchall()))
            newest = row[8]
        for line in reversed(new):
            self.model.apply(account_id, line)
            self._note_offers(line.now_us)  # a transaction decides on states that were never committed by themselves

    def _check_purchases(self, raw, account_id, account):
        gone, waiting = defaultdict(int), 0
        for purchase_id, amount, status, requires_settlement, reversed_credits in raw.execute(
            _REFUNDS, (account_id,)
        ).fetchall():
            gone[purchase_id] += amount if status in GONE else 0
            waiting += reversed_credits if requires_settlement else 0
        expect(
            waiting == account.set_aside,
            f"{account_id}: {account.set_aside} are set aside, refunds wait with {waiting}",
        )
        for purchase_id, sold, status, paid, reversed_credits, lot_id in raw.execute(_TAKEN, (account_id,)).fetchall():
            completed = status == "COMPLETED"
            granted = account.purchase_lots.get(purchase_id, "")
            expect(
                (lot_id, completed) == (granted, bool(granted)),
                f"{purchase_id} is {status} with lot {lot_id!r}, granted was {granted!r}",
            )
            wanted = target(sold, paid, gone[purchase_id]) if completed else 0
            taken = account.taken.get(purchase_id, ModelTaken())
            found = (reversed_credits, taken.lot + taken.debt)
            words = f"{purchase_id}: taken back are {found}, {wanted} were expected for {gone[purchase_id]} of {paid}"
            expect(found == (wanted, wanted), words)
