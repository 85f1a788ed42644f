"""What the ends of holds need of sessions: what was acknowledged, and that nothing is acknowledged afterwards."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from billing_service.domain.ledger.holds import Hold
from billing_service.storage.schema import accounts, sessions
from billing_service.storage.statements import Call, InList, bulk_update, reading

READ_CHARGES = reading(
    "read charges of sessions",
    select(
        accounts.c.account_id, accounts.c.version, sessions.c.session_id, sessions.c.charged, sessions.c.price_record
    )
    .select_from(accounts.join(sessions, sessions.c.account_id == accounts.c.account_id))
    .where(InList(accounts.c.account_id, "list_ids"), InList(sessions.c.session_id, "list_sessions")),
    "list_ids",
    "list_sessions",
)
CLOSE = bulk_update(
    sessions, ("account_id", "session_id"), ("closed", "end_transaction_id"), expected=("closed", "charged")
)


def read_charges(wanted: Iterable[tuple[str, Hold]]) -> Call:
    """What was acknowledged of the sessions of these holds, each with its account."""
    account_ids, session_ids = zip(*((account_id, hold.hold_id) for account_id, hold in wanted), strict=True)
    return READ_CHARGES(sorted(set(account_ids)), sorted(session_ids))


def close_sessions(ended: Sequence[tuple[str, Hold]]) -> Call:
    """Closes the sessions of holds that have ended, where nothing was acknowledged since it was read."""
    return CLOSE.many(
        [
            (account_id, hold.hold_id, 0, hold.session_end.acknowledged, 1, hold.end_transaction_id)
            for account_id, hold in ended
            if hold.session_end is not None
        ]
    )
