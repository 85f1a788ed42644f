"""What a ledger's entries say of whom, read by plain SQL: what was used, given, kept, lost and owed."""

import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field

_ENTRIES = (
    "SELECT e.account_id, e.source, e.destination, e.amount FROM entries e"
    " JOIN transactions t ON t.transaction_id = e.transaction_id AND t.account_id = e.account_id"
)
_PURCHASES = (
    "SELECT purchase_id, account_id, credits, paid_minor, net_paid_minor, disputed_minor, status, reversed "
    "FROM purchases"
)
_GONE = (
    "SELECT purchase_id, sum(amount_minor) FROM refunds WHERE status IN ('PENDING', 'SUCCEEDED') GROUP BY purchase_id"
)
_REFERRALS = (
    "SELECT account_id, referrer_account_id, purchase_id || fallen_purchase_id, state, minimum_minor, bonus, "
    "referrer_taken FROM referrals"
)


@dataclass
class Books:
    """One account, in microcredits."""

    used: int = 0
    granted: int = 0
    """By operators."""
    expired: int = 0
    """Less what clawbacks took of that."""
    left: int = 0
    """In lots and held, expired or not."""
    held: int = 0
    debt: int = 0
    kept: int = 0
    """What the money that was kept is worth in credits."""
    bonuses: int = 0
    """Of referrals that stand, and what a referrer had spent of one that fell."""
    problems: list = field(default_factory=list)


def read_books(path):
    """Books by account."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        books = defaultdict(Books)
        _read_entries(books, connection.execute(_ENTRIES).fetchall())
        for account_id, debt, held in connection.execute("SELECT account_id, debt, held FROM accounts").fetchall():
            books[account_id].debt, books[account_id].held = debt, held
        for account_id, left in connection.execute(
            "SELECT account_id, sum(remaining + held) FROM lots GROUP BY account_id"
        ).fetchall():
            books[account_id].left = left
        paid = _read_purchases(books, connection)
        _read_referrals(books, connection.execute(_REFERRALS).fetchall(), paid)
    return books


def _read_entries(books, entries):
    places = defaultdict(Counter)
    for account_id, source, destination, amount in entries:
        places[account_id][source] -= amount
        places[account_id][destination] += amount
    for account_id, moved in places.items():
        account = books[account_id]
        account.used, account.granted, account.expired = moved["usage"], -moved["grants"], moved["expired"]


def _read_purchases(books, connection):
    """Adds what is kept; answers (paid for the credits, paid, gone) by purchase."""
    refunded, paid = dict(connection.execute(_GONE).fetchall()), {}
    for purchase_id, account_id, sold, paid_minor, net, disputed, status, reversed_credits in connection.execute(
        _PURCHASES
    ).fetchall():
        if status != "COMPLETED":
            continue
        gone = min(paid_minor, refunded.get(purchase_id, 0) + disputed)
        target = (sold * gone + paid_minor - 1) // paid_minor if paid_minor else 0
        books[account_id].kept += sold - target
        paid[purchase_id] = (net, paid_minor, gone)
        if reversed_credits != target:
            books[account_id].problems.append(f"{purchase_id}: {reversed_credits} are taken, {target} should be")
    return paid


def _read_referrals(books, referrals, paid):
    for referee, referrer, purchase_id, state, minimum, bonus, referrer_taken in referrals:
        if state in ("PENDING", "CLOSED"):
            continue
        net, paid_minor, gone = paid[purchase_id]
        stands = net * (paid_minor - gone) >= minimum * paid_minor and not 0 < paid_minor == gone
        if stands != (state != "REVERSED"):
            books[referee].problems.append(f"the referral is {state}, {gone} of {paid_minor} are gone")
        books[referee].bonuses += bonus if stands else 0
        books[referrer].bonuses += bonus if stands else bonus - referrer_taken
