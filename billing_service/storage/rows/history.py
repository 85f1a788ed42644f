"""Rows of history: an account's transactions along their chain, newest first. The chain needs no index of its own, so
that history costs a deduction nothing."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, literal_column, or_, select
from sqlalchemy.dialects.postgresql import insert

from billing_service.domain.ledger.entries import Entry, Transaction, TransactionKind, is_lot, lot_held
from billing_service.storage.rows.ledger import expect
from billing_service.storage.schema import accounts, deduction_reversals, entries, lots, transactions
from billing_service.storage.statements import InList, Work, reading, writing

STEPS_MAX = 5_000
"""Links followed for one page: a filter that matches little ends a page early instead of holding a reader for long."""
SET_BACK_MAX_US = 2 * 86_400_000_000
"""The furthest that a clock is thought to be set back. Times along the chain then go back, too: what is older than the
period that is asked for ends the walk only when it is older by more than this."""

ASKED_BY_NAME = (TransactionKind.HOLD, TransactionKind.HOLD_RELEASE)
"""Kinds that a history has only where it is asked for them: they spend nothing."""
_COLUMNS = tuple(transactions.columns)


def walk_back() -> Any:
    walked = (
        select(*_COLUMNS, literal_column("1").label("step"))
        .where(
            transactions.c.account_id == bindparam("account_id"), transactions.c.transaction_id == bindparam("newest")
        )
        .cte("walked", recursive=True)
    )
    older = select(*_COLUMNS, walked.c.step + literal_column("1")).where(
        transactions.c.account_id == walked.c.account_id,
        transactions.c.transaction_id == walked.c.previous_id,
        walked.c.step < literal_column(str(STEPS_MAX)),
        walked.c.create_time_us >= bindparam("reach_us"),
    )
    return walked.union_all(older)


_WALKED = walk_back()
HEAD = reading(
    "read newest transaction id",
    select(accounts.c.last_transaction_id).where(accounts.c.account_id == bindparam("account_id")),
    "account_id",
)
# Without ORDER BY, on purpose: links come in the order in which they are followed, and LIMIT then ends the walk.
PAGE = reading(
    "read statement page",
    select(_WALKED)
    .where(
        or_(
            and_(
                bindparam("kind", type_=transactions.c.kind.type) == literal_column("0"),
                _WALKED.c.kind.not_in([literal_column(str(int(kind))) for kind in ASKED_BY_NAME]),
            ),
            _WALKED.c.kind == bindparam("kind"),
        ),
        _WALKED.c.create_time_us >= bindparam("start_us"),
        _WALKED.c.create_time_us < bindparam("end_us"),
    )
    .limit(bindparam("page")),
    "account_id",
    "newest",
    "reach_us",
    "kind",
    "start_us",
    "end_us",
    "page",
)
LAST_STEP = reading(
    "read where the walk ended",
    select(_WALKED).order_by(_WALKED.c.version).limit(literal_column("1")),
    "account_id",
    "newest",
    "reach_us",
)
ENTRIES_OF = reading(
    "read entries",
    select(entries.c.transaction_id, entries.c.source, entries.c.destination, entries.c.amount, entries.c.position)
    .where(entries.c.account_id == bindparam("account_id"), InList(entries.c.transaction_id, "list_transactions"))
    .order_by(entries.c.transaction_id, entries.c.position),
    "account_id",
    "list_transactions",
)
READ_TRANSACTION = reading(
    "read transaction",
    select(*_COLUMNS).where(
        and_(
            transactions.c.account_id == bindparam("account_id"),
            transactions.c.transaction_id == bindparam("transaction_id"),
        )
    ),
    "account_id",
    "transaction_id",
)
CATEGORIES = reading(
    "read lot categories",
    select(lots.c.lot_id, lots.c.category).where(
        lots.c.account_id == bindparam("account_id"), InList(lots.c.lot_id, "list_lots")
    ),
    "account_id",
    "list_lots",
)
REVERSALS_MAX = 1_000
"""Reversals of one deduction that are listed."""
REVERSALS = reading(
    "read reversals",
    select(*_COLUMNS)
    .where(
        transactions.c.account_id == bindparam("account_id"),
        transactions.c.source_id == bindparam("transaction_id"),
        transactions.c.kind == literal_column(str(int(TransactionKind.DEDUCTION_REVERSAL))),
    )
    .order_by(transactions.c.version)
    .limit(literal_column(str(REVERSALS_MAX))),
    "account_id",
    "transaction_id",
)
READ_REVERSED = reading(
    "read reversed part",
    select(deduction_reversals.c.reversed).where(
        deduction_reversals.c.account_id == bindparam("account_id"),
        deduction_reversals.c.transaction_id == bindparam("transaction_id"),
    ),
    "account_id",
    "transaction_id",
)
_ADD_REVERSED = insert(deduction_reversals).values(
    account_id=bindparam("account_id"), transaction_id=bindparam("transaction_id"), reversed=bindparam("reversed")
)
SET_REVERSED = writing(
    "set reversed part",
    _ADD_REVERSED.on_conflict_do_update(
        index_elements=["account_id", "transaction_id"], set_={"reversed": _ADD_REVERSED.excluded.reversed}
    ),
    "account_id",
    "transaction_id",
    "reversed",
)


class HistoryPage(NamedTuple):
    """Transactions with their entries, newest first, and where the next page begins; empty when there is none."""

    transactions: list[Transaction]
    categories: dict[str, int]
    """Category of each lot that they touched."""
    next_id: str


def read_history(
    account_id: str, newest: str, *, kind: int, start_us: int, end_us: int, page: int
) -> Work[HistoryPage]:
    """A page from the transaction `newest` on, along the chain; kind 0 is every kind but those of
    ASKED_BY_NAME."""
    reach_us = max(start_us - SET_BACK_MAX_US, 0)
    rows: Sequence[Sequence[Any]] = yield PAGE(account_id, newest, reach_us, kind, start_us, end_us, page + 1)
    found = [transaction_of(row) for row in rows]
    assert all(newer.version > older.version for newer, older in pairwise(found)), (
        "a chain is walked from its newest link"
    )
    next_id = ""
    if len(found) > page:
        next_id = found[page].transaction_id
        found = found[:page]
    else:
        last = yield LAST_STEP(account_id, newest, reach_us)
        if last and last[0][-1] >= STEPS_MAX:
            next_id = last[0][3]
    yield from attach_entries(account_id, found)
    lot_ids = {
        lot_held(place) or place
        for t in found
        for entry in t.entries
        for place in entry[:2]
        if is_lot(place) or lot_held(place)
    }
    categories = yield from lot_categories(account_id, lot_ids)
    return HistoryPage(found, categories, next_id)


def lot_categories(account_id: str, lot_ids: Iterable[str]) -> Work[dict[str, int]]:
    """The category of each lot of an account, as its number."""
    named = sorted(set(lot_ids))
    return dict((yield CATEGORIES(account_id, named))) if named else {}


def attach_entries(account_id: str, found: list[Transaction]) -> Work[None]:
    by_id = {transaction.transaction_id: transaction for transaction in found}
    if by_id:
        for transaction_id, source, destination, amount, _ in (yield ENTRIES_OF(account_id, list(by_id))):
            by_id[transaction_id].entries.append(Entry(source, destination, amount))


def newest_transaction(account_id: str) -> Work[str | None]:
    """The id of the account's newest transaction, empty when it has none; None for an unknown account."""
    rows = yield HEAD(account_id)
    return rows[0][0] if rows else None


def read_transaction(account_id: str, transaction_id: str) -> Work[Transaction | None]:
    rows = yield READ_TRANSACTION(account_id, transaction_id)
    if not rows:
        return None
    found = transaction_of(rows[0])
    yield from attach_entries(account_id, [found])
    return found


def read_reversals(account_id: str, transaction_id: str) -> Work[list[Transaction]]:
    """The reversals of a deduction with their entries, oldest first, at most REVERSALS_MAX."""
    rows = yield REVERSALS(account_id, transaction_id)
    found = [transaction_of(row) for row in rows]
    yield from attach_entries(account_id, found)
    return found


def already_reversed(account_id: str, transaction_id: str) -> Work[int]:
    rows = yield READ_REVERSED(account_id, transaction_id)
    return int(rows[0][0]) if rows else 0


def set_reversed(account_id: str, transaction_id: str, amount: int) -> Work[None]:
    expect((yield SET_REVERSED(account_id, transaction_id, amount)), 1, "set reversed part")


def transaction_of(row: Sequence[Any]) -> Transaction:
    """From all columns of `transactions`, in their order."""
    account_id, transaction_id, version, previous_id, kind, amount, balance_after, created, source_id, caller = row[:10]
    description, metadata, digest, chain_format, salt, erased_digest, price_record, effective_us = row[10:18]
    return Transaction(
        transaction_id=transaction_id,
        account_id=account_id,
        version=version,
        previous_id=previous_id,
        kind=TransactionKind(kind),
        amount=amount,
        balance_after=balance_after,
        create_time_us=created,
        source_id=source_id,
        caller=caller,
        description=description,
        metadata=metadata,
        hash=digest,
        chain_format=chain_format,
        salt=salt or b"",
        erased_digest=erased_digest or b"",
        price_record=price_record or b"",
        effective_time_us=effective_us,
    )
