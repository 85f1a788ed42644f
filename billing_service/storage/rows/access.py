"""Rows of API keys and of the audit log."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Executable, bindparam, func, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from billing_service.domain.access.api_keys import ApiKey, Scope, scopes_text
from billing_service.domain.access.audit import AuditRecord
from billing_service.storage.rows.ledger import expect
from billing_service.storage.rows.records import RecordTable
from billing_service.storage.schema import api_keys, audit_records
from billing_service.storage.statements import Work, reading, writing


def _scopes(text: str) -> frozenset[Scope]:
    return frozenset(Scope(word) for word in text.split())


def _ids(text: str) -> tuple[str, ...]:
    return tuple(orjson.loads(text)) if text else ()


def _ids_text(ids: Sequence[str]) -> str:
    """A JSON list, or nothing where there are none."""
    return orjson.dumps(list(ids)).decode() if ids else ""


API_KEYS = RecordTable(
    api_keys,
    ApiKey,
    ("key_id",),
    {"scopes": _scopes, "secret_hash": bytes, "account_ids": _ids, "spender_ids": _ids},
    {"scopes": scopes_text, "account_ids": _ids_text, "spender_ids": _ids_text},
)
AUDIT = RecordTable(audit_records, AuditRecord, ("audit_id",), {})
READ_KEY = API_KEYS.selecting("read api key", api_keys.c.key_id == bindparam("key_id"), "key_id")


class _KeysLock(Executable, ClauseElement):
    """One change of keys at a time: there may be no row yet to lock. Look-ups go on."""

    inherit_cache = False


@compiles(_KeysLock, "sqlite")
def _lock_sqlite(_element: _KeysLock, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "SELECT 1"  # BEGIN IMMEDIATE has locked the file


@compiles(_KeysLock, "postgresql")
def _lock_postgresql(_element: _KeysLock, _compiler: SQLCompiler, **_kw: Any) -> str:
    return f"LOCK TABLE {api_keys.name} IN SHARE ROW EXCLUSIVE MODE"


LOCK_KEYS = reading("lock api keys", _KeysLock())
KEYS_OF_CALLER = reading(
    "list caller's api keys",
    select(*api_keys.columns).where(api_keys.c.caller == bindparam("caller")).order_by(api_keys.c.key_id),
    "caller",
)
LIST_KEYS = reading(
    "list api keys", select(*api_keys.columns).order_by(api_keys.c.create_time_us.desc(), api_keys.c.key_id)
)
COUNT_KEYS = reading("count api keys", select(func.count()).select_from(api_keys))
REVOKE_KEY = writing(
    "revoke api key",
    update(api_keys)
    .where(api_keys.c.key_id == bindparam("which"))
    .values(
        revoke_time_us=func.coalesce(
            api_keys.c.revoke_time_us, bindparam("now_us", type_=api_keys.c.create_time_us.type)
        )
    ),
    "which",
    "now_us",
)
NOTE_USE = writing(
    "note api key use",
    update(api_keys).where(api_keys.c.key_id == bindparam("which")).values(last_use_time_us=bindparam("when_us")),
    "which",
    "when_us",
)
_AUDIT_PAGE = (
    select(audit_records)
    .where(audit_records.c.audit_id < bindparam("before"))
    .order_by(audit_records.c.audit_id.desc())
    .limit(bindparam("page"))
)
LIST_AUDIT = reading("list audit records", _AUDIT_PAGE, "before", "page")
LIST_AUDIT_OF_ACCOUNT = reading(
    "list audit records of an account",
    _AUDIT_PAGE.where(audit_records.c.account_id == bindparam("account_id")),
    "before",
    "page",
    "account_id",
)


def read_key(key_id: str) -> Work[ApiKey | None]:
    rows = yield READ_KEY(key_id)
    return API_KEYS.record(rows[0]) if rows else None


def lock_keys() -> Work[None]:
    """To be called first by whoever adds or revokes a key, or spends an idempotency key that belongs to no account."""
    yield LOCK_KEYS()


def keys_of_caller(caller: str) -> Work[list[ApiKey]]:
    rows = yield KEYS_OF_CALLER(caller)
    return [API_KEYS.record(row) for row in rows]


def list_keys() -> Work[list[ApiKey]]:
    rows = yield LIST_KEYS()
    return [API_KEYS.record(row) for row in rows]


def revoke_key(key_id: str, now_us: int) -> Work[ApiKey | None]:
    """Revokes a key, keeping an earlier time; None when there is none."""
    if (yield REVOKE_KEY(key_id, now_us)) == 0:
        return None
    return (yield from read_key(key_id))


def note_use(key_id: str, when_us: int) -> Work[None]:
    expect((yield NOTE_USE(key_id, when_us)), 1, "note api key use")


def list_audit(account_id: str, before: str, page: int) -> Work[list[AuditRecord]]:
    asked = (before, page)
    rows: Sequence[Sequence[Any]] = (
        yield LIST_AUDIT_OF_ACCOUNT(*asked, account_id) if account_id else LIST_AUDIT(*asked)
    )
    return [AUDIT.record(row) for row in rows]
