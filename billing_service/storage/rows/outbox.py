"""Rows of business events, written in the transaction of their cause. An account's events are in the order of its
versions, and of their ids within one version."""

from typing import Any

import orjson
from sqlalchemy import bindparam, select

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.events import BusinessEvent, EventKind
from billing_service.storage.schema import outbox
from billing_service.storage.statements import Row, Work, bulk_insert, reading

INSERT = bulk_insert(outbox)
"""Rows are those of `row_of`."""
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
    return (account.account_id, event_id, account.version, int(kind), now_us, subject_id, text, 0)


def details_since(kind: EventKind, since_us: int, page: int) -> Work[dict[str, dict[str, Any]]]:
    """Events of a kind since a time, the newest first, at most `page`: their details by their ids."""
    return {row[0]: orjson.loads(row[1]) for row in (yield OF_KIND(int(kind), since_us, page))}
