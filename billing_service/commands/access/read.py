"""Reads of the inbox and of the audit log."""

from billing_service.commands.environment import Environment
from billing_service.domain.access.audit import AuditRecord
from billing_service.domain.inbox import EventStatus, InboxEvent
from billing_service.storage.rows.access import list_audit
from billing_service.storage.rows.events import list_events

EVENTS_NEWEST = (2**62, "")
"""Before every event in a list that begins with the newest."""
AUDIT_NEWEST = "~"


async def kept_events(
    environment: Environment, status: EventStatus | None, before: tuple[int, str], page: int, *, with_payload: bool
) -> tuple[list[InboxEvent], tuple[int, str] | None]:
    """A page of the inbox, newest first, and the position that the next page goes on from; None at the end."""
    found = await environment.store.read(lambda: list_events(status or "", before, page + 1, with_payload=with_payload))
    last = found[page - 1] if len(found) > page else None
    return found[:page], (last.receive_time_us, last.event_id) if last else None


async def audit_records(
    environment: Environment, account_id: str, before: str, page: int
) -> tuple[list[AuditRecord], str]:
    """A page of the audit log, newest first, of one account or of all, and the id that the next page goes on from."""
    found = await environment.store.read(lambda: list_audit(account_id, before or AUDIT_NEWEST, page + 1))
    return found[:page], found[page - 1].audit_id if len(found) > page else ""
