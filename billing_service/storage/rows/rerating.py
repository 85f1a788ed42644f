"""Rows of charges as re-rating reads them: of all accounts, in the order in which they were made."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, bindparam, func, literal_column, select

from billing_service.domain.ledger.entries import Place, TransactionKind
from billing_service.domain.spending.standing import StandingCharge
from billing_service.storage.rows.corrections import CorrectionRow, changed_deductions
from billing_service.storage.schema import corrections, deduction_reversals, entries, transactions
from billing_service.storage.statements import Work, reading

ROWS_A_READ: Final = 500
"""Transactions that one read looks at, so that each is short."""
_END: Final = "txn_~"
"""After every id of a transaction."""

RANGE_END = reading(
    "find where a range of transactions ends",
    select(transactions.c.transaction_id)
    .where(transactions.c.transaction_id > bindparam("after"))
    .order_by(transactions.c.transaction_id)
    .offset(bindparam("many"))
    .limit(literal_column("1")),
    "after",
    "many",
)
_IN_RANGE = and_(
    transactions.c.transaction_id > bindparam("after"),
    transactions.c.transaction_id <= bindparam("until"),
    transactions.c.kind == literal_column(str(int(TransactionKind.DEDUCTION))),
    transactions.c.price_record.is_not(None),
    transactions.c.create_time_us >= bindparam("start_us"),
    transactions.c.create_time_us < bindparam("end_us"),
)
CHARGES = reading(
    "read charges of a range",
    select(
        transactions.c.account_id,
        transactions.c.transaction_id,
        transactions.c.create_time_us,
        transactions.c.price_record,
        func.coalesce(deduction_reversals.c.reversed, literal_column("0")),
    )
    .select_from(
        transactions.outerjoin(
            deduction_reversals,
            and_(
                deduction_reversals.c.account_id == transactions.c.account_id,
                deduction_reversals.c.transaction_id == transactions.c.transaction_id,
            ),
        )
    )
    .where(_IN_RANGE)
    .order_by(transactions.c.transaction_id),
    *("after", "until", "start_us", "end_us"),
)
USED = reading(
    "read what a range of transactions used",
    select(entries.c.transaction_id, entries.c.amount).where(
        entries.c.transaction_id > bindparam("after"),
        entries.c.transaction_id <= bindparam("until"),
        entries.c.destination == bindparam("place"),
    ),
    *("after", "until", "place"),
)


DECIDED = reading(
    "read corrections of a range",
    select(corrections)
    .select_from(
        transactions.join(
            corrections,
            and_(
                corrections.c.account_id == transactions.c.account_id,
                corrections.c.transaction_id == transactions.c.transaction_id,
            ),
        )
    )
    .where(_IN_RANGE),
    *("after", "until", "start_us", "end_us"),
)


class ChargeRow(NamedTuple):
    """A charge with a record, as it is stored."""

    account_id: str
    transaction_id: str
    create_time_us: int
    price_record: bytes
    given_back: int
    """Microcredits that reversals gave back."""
    charged: int
    decided_by: frozenset[str] = frozenset()
    """Versions of the rate card that have decided it anew."""
    corrected: StandingCharge | None = None
    """As it stands; None where no correction moved anything."""


class ChargeRange(NamedTuple):
    """The charges of a window among the transactions that follow one."""

    charges: Sequence[ChargeRow]
    last_id: str
    """The last transaction that was looked at; empty at the end of all."""


def charges_after(after: str, start_us: int, end_us: int, mark: bytes = b"") -> Work[ChargeRange]:
    """Looks at the ROWS_A_READ transactions after the id `after`. Charges whose record has not `mark` are left out."""
    ends: Sequence[Sequence[Any]] = yield RANGE_END(after, ROWS_A_READ - 1)
    until = ends[0][0] if ends else _END
    charges = [row for row in (yield CHARGES(after, until, start_us, end_us)) if mark in bytes(row[3])]
    found = (yield from _whole(after, until, start_us, end_us, charges)) if charges else []
    return ChargeRange(found, until if ends else "")


def _whole(
    after: str, until: str, start_us: int, end_us: int, charges: Sequence[Sequence[Any]]
) -> Work[list[ChargeRow]]:
    """The charges with what they took, and what was decided of them since."""
    used: Counter[str] = Counter()
    for transaction_id, amount in (yield USED(after, until, Place.USAGE)):
        used[transaction_id] += amount
    wanted = {row[1] for row in charges}
    decided: dict[str, set[str]] = defaultdict(set)
    moved: dict[str, set[str]] = defaultdict(set)
    for row in map(CorrectionRow._make, (yield DECIDED(after, until, start_us, end_us))):
        if row.transaction_id in wanted:
            decided[row.transaction_id].add(row.rate_card_version)
            if row.correction_id:
                moved[row.account_id].add(row.transaction_id)
    corrected: dict[str, StandingCharge] = {}
    for account_id, transaction_ids in moved.items():
        corrected |= (yield from changed_deductions(account_id, sorted(transaction_ids))).standing
    return [
        ChargeRow(
            *(account_id, transaction_id, created, bytes(record), int(given_back), used[transaction_id]),
            frozenset(decided.get(transaction_id, ())),
            corrected.get(transaction_id),
        )
        for account_id, transaction_id, created, record, given_back in charges
    ]
