"""Rows of idempotency keys: written with the effect, in its transaction, and kept for ever."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Text,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    true,
    update,
)

from billing_service.storage.rows.ledger import expect
from billing_service.storage.schema import idempotency_keys as keys
from billing_service.storage.statements import Row, Work, bulk_insert, given_rows, reading, writing

KeyId = tuple[str, str, str]
"""Account, key, scope."""


_COLUMNS = (
    keys.c.account_id,
    keys.c.idempotency_key,
    keys.c.scope,
    keys.c.fingerprint,
    keys.c.reply,
    keys.c.resource_id,
)


class StoredKey(NamedTuple):
    """A spent key."""

    fingerprint: bytes
    reply: bytes | None
    """The original reply; None while the effect has begun and not ended."""
    resource_id: str
    """What the effect made: the purchase or refund to resume."""


NAMES = ("list_accounts", "list_keys", "list_scopes")
"""Parameters that name keys: a list of each part."""


def found_keys() -> FromClause:
    """The spent ones of the keys named, each looked up by itself, for stores that take rows. `LIMIT` keeps the planner
    from turning the join round: a plan made while there are few keys would else read all of them, for as long as it is
    kept."""
    named = given_rows(NAMES, [keys.c.account_id.type, keys.c.idempotency_key.type, keys.c.scope.type])
    one = select(*_COLUMNS).where(
        keys.c.account_id == named.c.list_accounts,
        keys.c.idempotency_key == named.c.list_keys,
        keys.c.scope == named.c.list_scopes,
    )
    found = one.limit(literal_column("1")).lateral("found")
    joined: FromClause = select(found).select_from(named.join(found, true())).subquery("spent")
    return joined


def found_keys_sqlite() -> FromClause:
    """The same for SQLite: its lists are JSON, whose elements belong together by their place. A key's name alone is not
    enough to look for: names are an account's own, and where callers number theirs, each account has a `1`."""
    named = func.json_each(bindparam(NAMES[1], type_=Text)).table_valued("key", "value", name="named")

    def beside(name: str) -> ColumnElement[str]:
        return func.json_extract(bindparam(name, type_=Text), literal_column("'$[' || named.key || ']'"))

    which = and_(
        keys.c.idempotency_key == named.c.value, keys.c.account_id == beside(NAMES[0]), keys.c.scope == beside(NAMES[2])
    )
    joined: FromClause = select(*_COLUMNS).select_from(named.join(keys, which)).subquery("spent")
    return joined


FIND = reading("find keys", select(found_keys()), *NAMES, sqlite_element=select(found_keys_sqlite()))
INSERT = bulk_insert(keys)
"""Rows are (account, key, scope, fingerprint, reply, resource id, time in µs)."""


def _which() -> ColumnElement[bool]:
    return and_(
        keys.c.account_id == bindparam("which_account"),
        keys.c.idempotency_key == bindparam("which_key"),
        keys.c.scope == bindparam("which_scope"),
    )


_WHICH = ("which_account", "which_key", "which_scope")
ANSWER = writing("answer key", update(keys).where(_which()).values(reply=bindparam("reply")), *_WHICH, "reply")
FREE = writing("free key", delete(keys).where(_which()), *_WHICH)


def find_keys(wanted: Sequence[KeyId]) -> Work[dict[KeyId, StoredKey]]:
    """The spent ones of these keys."""
    if not wanted:
        return {}
    account_ids, values, scopes = zip(*wanted, strict=True)
    rows: Sequence[Sequence[Any]] = yield FIND(account_ids, values, scopes)
    return {(row[0], row[1], row[2]): StoredKey(row[3], row[4], row[5]) for row in rows}


def insert_keys(rows: Sequence[Row]) -> Work[None]:
    """Spends keys: (account, key, scope, fingerprint, reply, resource id, time in µs) each."""
    if rows:
        expect((yield INSERT.many(rows)), len(rows), "insert keys")


def answer_key(key: KeyId, reply: bytes) -> Work[None]:
    """Keeps the reply of an effect that has ended."""
    expect((yield ANSWER(*key, reply)), 1, "answer key")


def free_key(key: KeyId) -> Work[None]:
    """Frees the key of an effect that came to nothing."""
    expect((yield FREE(*key)), 1, "free key")
