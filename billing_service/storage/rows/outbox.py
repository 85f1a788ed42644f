"""Rows of business events, written in the transaction of their cause. An account's events are in the order of its
versions, and of their ids within one version."""

from typing import Any

import orjson
from sqlalchemy import bindparam, delete, select

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.events import BusinessEvent, EventKind
from billing_service.storage.schema import outbox
from billing_service.storage.statements import InList, Row, Work, bulk_insert, reading, writing

INSERT = bulk_insert(outbox)
"""Rows are those of `row_of`."""
_OLD = outbox.c.create_time_us < bindparam("before_us", type_=outbox.c.create_time_us.type)
OLDEST = reading(
    "find old events",
    select(outbox.c.event_id).where(_OLD).order_by(outbox.c.create_time_us).limit(bindparam("page")),
    "before_us",
    "page",
)
FORGET = writing(
    "forget old events", delete(outbox).where(InList(outbox.c.event_id, "list_ids"), _OLD), "list_ids", "before_us"
)


OF_KIND = reading(
    "find events of a kind",
    select(outbox.c.event_id, outbox.c.detail)
    .where(
        outbox.c.kind == bindparam("kind", type_=outbox.c.kind.type),
        outbox.c.create_time_us >= bindparam("since_us", type_=outbox.c.create_time_us.type),
    )
    .order_by(outbox.c.create_time_us.desc())
    .limit(bindparam("page")),
    "kind",
    "since_us",
    "page",
)


def row_of(account: Account, event: BusinessEvent) -> Row:
    """A row of INSERT: the event belongs to the version that the account has now."""
    event_id, kind, now_us, subject_id, detail = event
    text = orjson.dumps(dict(detail)).decode()
    return (account.account_id, event_id, account.version, int(kind), now_us, subject_id, text)


def details_since(kind: EventKind, since_us: int, page: int) -> Work[dict[str, dict[str, Any]]]:
    """Events of a kind since a time, the newest first, at most `page`: their details by their ids."""
    return {row[0]: orjson.loads(row[1]) for row in (yield OF_KIND(int(kind), since_us, page))}


def forget_before(before_us: int, page: int) -> Work[bool]:
    """Deletes the oldest events from before a time, at most `page`; answers whether there may be more."""
    found = [row[0] for row in (yield OLDEST(before_us, page))]
    if not found or (yield FORGET(found, before_us)) == 0:  # another process was faster
        return False
    return len(found) == page
