"""The audit log: who changed what, from where."""

from dataclasses import dataclass


@dataclass(slots=True)
class AuditRecord:
    """One line of the audit log. Time in microseconds since 1970."""

    audit_id: str
    create_time_us: int
    caller: str
    peer: str
    method: str
    account_id: str
    """Empty where it was about no account."""
    detail: str
    """A JSON object."""
