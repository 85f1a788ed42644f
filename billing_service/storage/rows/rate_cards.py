"""Rows of rate cards."""

from sqlalchemy import bindparam, literal_column, select

from billing_service.domain.catalogue.rate_card_versions import CardVersion, StoredCard
from billing_service.storage.rows.records import RecordTable
from billing_service.storage.schema import rate_cards
from billing_service.storage.statements import Work, reading

_BEFORE_ALL = 2**62
"""The position before a list that begins with the newest."""


RATE_CARDS = RecordTable(rate_cards, StoredCard, ("version",), {"card_file": bytes})
READ_CARD = RATE_CARDS.selecting("read rate card", rate_cards.c.version == bindparam("version"), "version")
_HEADINGS = [column for column in rate_cards.columns if column.name != "card_file"]
LIST_CARDS = reading(
    "list rate cards",
    select(*_HEADINGS)
    .where(rate_cards.c.position < bindparam("before"))
    .order_by(rate_cards.c.position.desc())
    .limit(bindparam("page")),
    "before",
    "page",
)
_VERSION = select(rate_cards.c.version, rate_cards.c.position, rate_cards.c.in_force_time_us)
LAST_VERSION = reading(
    "last version of the rate card",
    _VERSION.where(rate_cards.c.in_force_time_us <= bindparam("until_us"))
    .order_by(rate_cards.c.in_force_time_us.desc(), rate_cards.c.position.desc())
    .limit(literal_column("1")),
    "until_us",
)
LATER_VERSIONS = reading(
    "later versions of the rate card",
    _VERSION.where(rate_cards.c.in_force_time_us > bindparam("since_us")).order_by(
        rate_cards.c.in_force_time_us, rate_cards.c.position
    ),
    "since_us",
)


def read_card(version: str) -> Work[StoredCard | None]:
    rows = yield READ_CARD(version)
    return RATE_CARDS.record(rows[0]) if rows else None


def list_cards(before: int | None, page: int) -> Work[list[StoredCard]]:
    """Without their files, the newest first: those before a position, or all."""
    rows = yield LIST_CARDS(_BEFORE_ALL if before is None else before, page)
    return [RATE_CARDS.record((*row, b"")) for row in rows]


def versions_since(since_us: int) -> Work[list[CardVersion]]:
    """All that may price a usage at that moment or later: the version in force then, and those that begin
    afterwards."""
    before = yield LAST_VERSION(since_us)
    later = yield LATER_VERSIONS(since_us)
    return [CardVersion(*row) for row in (*before, *later)]


def last_position() -> Work[int]:
    """Of the card created last; 0 where there is none."""
    last = yield from list_cards(None, 1)
    return last[0].position if last else 0
