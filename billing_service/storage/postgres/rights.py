"""What a role must be allowed to do, table by table. docs/database.md has the same as GRANTs; tests hold both against
the statements."""

from collections.abc import Mapping
from typing import Any, Final

from billing_service.storage.postgres.connect import CannotConnectError

_SEEN: Final = ("SELECT",)
_ADDED: Final = ("SELECT", "INSERT")
_CHANGED: Final = ("SELECT", "INSERT", "UPDATE")
_FREED: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")

SERVING: Final[Mapping[str, tuple[str, ...]]] = {
    "accounts": _CHANGED,
    "alembic_version": _SEEN,
    "api_keys": _CHANGED,
    "audit_records": _ADDED,
    "balance_snapshots": _ADDED,
    "corrections": _ADDED,
    "deduction_reversals": _CHANGED,
    "deployment": _CHANGED,
    "disputes": _CHANGED,
    "entries": _ADDED,
    "feed": ("SELECT", "UPDATE"),
    "holds": _CHANGED,
    "idempotency_keys": _FREED,
    "limited_charges": _ADDED,
    "lots": _CHANGED,
    "outbox": _FREED,
    "profiles": _CHANGED,
    "purchase_references": _FREED,
    "purchases": _CHANGED,
    "rate_cards": _ADDED,
    "reconciliation": ("SELECT", "UPDATE"),
    "referral_codes": _ADDED,
    "referrals": _CHANGED,
    "refunds": _CHANGED,
    "sessions": _CHANGED,
    "spend_limits": _FREED,
    "stripe_customers": _ADDED,
    "stripe_events": _CHANGED,
    "taken_back_lots": _ADDED,
    "transactions": _ADDED,
    "webhook_deliveries": _FREED,
    "webhook_endpoint": ("SELECT", "UPDATE"),
}
"""Of the role that serves. Rows are locked by UPDATE's right."""
READING: Final[Mapping[str, tuple[str, ...]]] = dict.fromkeys(SERVING, _SEEN)
"""Of a role that only verifies."""

_MISSING: Final = """
SELECT wanted.name, wanted.privilege, to_regclass(wanted.name) IS NULL AS unseen, current_user AS role
FROM unnest($1::text[], $2::text[]) AS wanted (name, privilege)
WHERE NOT coalesce(has_table_privilege(to_regclass(wanted.name), wanted.privilege), false)
"""


async def missing_rights(connection: Any, wanted: Mapping[str, tuple[str, ...]]) -> str:
    """What the connection's role may not do, in one line; empty when it may do all that is wanted."""
    pairs = [(table, privilege) for table, privileges in wanted.items() for privilege in privileges]
    rows = await connection.fetch(_MISSING, *(list(column) for column in zip(*pairs, strict=True)))
    if not rows:
        return ""
    lacking: dict[str, list[str]] = {}
    unseen: dict[str, None] = {}
    for row in rows:
        if row["unseen"]:
            unseen[row["name"]] = None
        else:
            lacking.setdefault(row["name"], []).append(row["privilege"])
    faults = (
        ["lacks " + "; ".join(f"{', '.join(rights)} on {table}" for table, rights in lacking.items())]
        if lacking
        else []
    )
    if unseen:
        faults.append(f"can't see {', '.join(unseen)}: USAGE of the schema or a search_path is missing")
    return f"the role {rows[0]['role']} {' and '.join(faults)}; docs/database.md has the GRANTs"


async def check_rights(connection: Any, wanted: Mapping[str, tuple[str, ...]]) -> None:
    """Raises CannotConnectError."""
    missing = await missing_rights(connection, wanted)
    if missing:
        raise CannotConnectError(f"the database can't be used: {missing}")
