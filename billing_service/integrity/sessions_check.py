"""What a session acknowledged, compared with what its hold was charged."""

from collections.abc import Iterator

from billing_service.domain.ledger.holds import Hold, HoldState
from billing_service.domain.spending.unpriced import session_end
from billing_service.storage.rows.verification import StoredCharge


def compared_session(session_id: str, session: StoredCharge, hold: Hold | None) -> Iterator[tuple[str, object, object]]:
    """(subject, what must be, what is stored). A session without a hold was never opened. One that acknowledged
    something is closed with its hold, and not before. Where the time of the hold ended it, what was acknowledged was
    charged, as far as the hold had it."""
    yield f"hold of session {session_id}", True, hold is not None
    if hold is None:
        return
    if session.sequence or session.closed:
        yield f"session {session_id} closed", not hold.is_open, session.closed
    yield f"session {session_id} charged without a tick", False, bool(session.charged and not session.sequence)
    acknowledged = min(session.charged, hold.amount)
    if hold.state is HoldState.EXPIRED and hold.captured != acknowledged:  # all that an older program charges
        end = session_end(hold.amount, session.charged, session.price_record)
        yield f"session {session_id} covered", min(end.charged, hold.amount), hold.captured
