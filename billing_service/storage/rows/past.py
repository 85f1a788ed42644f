"""Rows that past balances are read with: snapshots, lots that were taken back, freezes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, bindparam, literal_column, or_, select
from sqlalchemy.dialects.postgresql import insert

from billing_service.domain.ledger.past import PastState
from billing_service.storage.schema import accounts, audit_records, balance_snapshots, taken_back_lots
from billing_service.storage.statements import InList, Statement, Work, reading, writing

SNAPSHOTS_PASSED = 2
"""Snapshots after a moment of which the last is where the walk back to it begins."""
_SNAPSHOTS = balance_snapshots
_COLUMNS = (
    *(_SNAPSHOTS.c.version, _SNAPSHOTS.c.transaction_id, _SNAPSHOTS.c.reached_us),
    *(_SNAPSHOTS.c.debt, _SNAPSHOTS.c.held, _SNAPSHOTS.c.lots),
)
_OF_ACCOUNT = _SNAPSHOTS.c.account_id == bindparam("account_id")


def _after(name: str, passed: ColumnElement[bool], order: ColumnElement[int], parameter: str) -> Statement:
    ordered = select(*_COLUMNS).where(_OF_ACCOUNT, passed).order_by(order, _SNAPSHOTS.c.version)
    return reading(name, ordered.limit(literal_column(str(SNAPSHOTS_PASSED))), "account_id", parameter)


AFTER_VERSION = _after(
    "find snapshots of later versions",
    _SNAPSHOTS.c.version >= bindparam("version"),
    _SNAPSHOTS.c.version,
    "version",
)
AFTER_TIME = _after(
    "find snapshots of later times",
    _SNAPSHOTS.c.reached_us > bindparam("time_us"),
    _SNAPSHOTS.c.reached_us,
    "time_us",
)
BEFORE_TIME = reading(
    "find snapshot of an earlier time",
    select(_SNAPSHOTS.c.version)
    .where(_OF_ACCOUNT, _SNAPSHOTS.c.reached_us <= bindparam("time_us"))
    .order_by(_SNAPSHOTS.c.reached_us.desc(), _SNAPSHOTS.c.version.desc())
    .limit(literal_column("1")),
    "account_id",
    "time_us",
)
NEWEST = reading(
    "find newest snapshot",
    select(_SNAPSHOTS.c.version, _SNAPSHOTS.c.reached_us)
    .where(_OF_ACCOUNT)
    .order_by(_SNAPSHOTS.c.version.desc())
    .limit(literal_column("1")),
    "account_id",
)
_GIVEN = ("account_id", *(column.name for column in _COLUMNS))
INSERT = writing(
    "insert snapshot",
    insert(_SNAPSHOTS)
    .values({name: bindparam(name, type_=_SNAPSHOTS.c[name].type) for name in _GIVEN})
    .on_conflict_do_nothing(),
    *_GIVEN,
)
TAKEN_BACK = reading(
    "read when lots would have ended",
    select(taken_back_lots.c.lot_id, taken_back_lots.c.expire_time_us).where(
        taken_back_lots.c.account_id == bindparam("account_id"), InList(taken_back_lots.c.lot_id, "list_lots")
    ),
    "account_id",
    "list_lots",
)
FREEZES = reading(
    "read newest freeze",
    select(audit_records.c.detail)
    .where(
        audit_records.c.account_id == bindparam("account_id"),
        audit_records.c.create_time_us <= bindparam("time_us"),
        or_(
            audit_records.c.detail.like(literal_column("'%\"frozen\":true%'")),
            audit_records.c.detail.like(literal_column("'%\"frozen\":false%'")),
        ),
    )
    .order_by(audit_records.c.audit_id.desc())
    .limit(literal_column("1")),
    "account_id",
    "time_us",
)
CREATED = reading(
    "read when an account was made",
    select(accounts.c.create_time_us).where(accounts.c.account_id == bindparam("account_id")),
    "account_id",
)


class Snapshot(NamedTuple):
    """What an account had after a version, and the newest transaction then."""

    state: PastState
    transaction_id: str
    reached_us: int


def snapshots_after_version(account_id: str, version: int) -> Work[list[Snapshot]]:
    """The first two snapshots of this version or a later one."""
    return [_snapshot_of(row) for row in (yield AFTER_VERSION(account_id, version))]


def snapshots_after_time(account_id: str, time_us: int) -> Work[list[Snapshot]]:
    """The first two snapshots that reach beyond a time."""
    return [_snapshot_of(row) for row in (yield AFTER_TIME(account_id, time_us))]


def version_before_time(account_id: str, time_us: int) -> Work[int]:
    """The version of the last snapshot that does not reach beyond a time; 0: there is none."""
    rows = yield BEFORE_TIME(account_id, time_us)
    return int(rows[0][0]) if rows else 0


def newest_snapshot(account_id: str) -> Work[tuple[int, int]]:
    """Its version and the latest time up to it; zeros where there is none."""
    rows = yield NEWEST(account_id)
    return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)


def add_snapshots(account_id: str, made: Iterable[tuple[PastState, str, int]]) -> Work[None]:
    """Another process may have made them, too: they are the same."""
    for state, transaction_id, reached_us in made:
        lots = orjson.dumps(state.remaining).decode()
        yield INSERT(account_id, state.version, transaction_id, reached_us, state.debt, state.held, lots)


def ends_before_taken_back(account_id: str, lot_ids: Sequence[str]) -> Work[Mapping[str, int | None]]:
    """When those of the lots would have ended that were taken back."""
    return dict((yield TAKEN_BACK(account_id, lot_ids))) if lot_ids else {}


def was_frozen(account_id: str, time_us: int) -> Work[bool]:
    """Whether an account was frozen at a time, as the audit log says: a freeze makes no version."""
    rows = yield FREEZES(account_id, time_us)
    return bool(rows) and orjson.loads(rows[0][0])["frozen"] is True


def made_at(account_id: str) -> Work[int | None]:
    """When an account was made; None: there is no such account."""
    rows = yield CREATED(account_id)
    return int(rows[0][0]) if rows else None


def _snapshot_of(row: Sequence[Any]) -> Snapshot:
    version, transaction_id, reached_us, debt, held, lots = row
    return Snapshot(PastState(version, debt, held, orjson.loads(lots)), transaction_id, reached_us)
