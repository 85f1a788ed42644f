"""The inbox of Stripe's events: each that arrived, with what became of it."""

from dataclasses import dataclass
from enum import StrEnum


class EventStatus(StrEnum):
    """State of an event; the wire's names without their prefix."""

    PROCESSED = "PROCESSED"
    IGNORED = "IGNORED"
    QUARANTINED = "QUARANTINED"
    FAILED = "FAILED"


@dataclass(slots=True)
class InboxEvent:
    """One event as it is kept. Times in microseconds since 1970."""

    event_id: str
    event_type: str
    subject: str
    """The PaymentIntent that it waits for; empty when it does not wait."""
    status: EventStatus
    payload: bytes
    receive_time_us: int
    process_time_us: int
    attempt_count: int
    error: str
