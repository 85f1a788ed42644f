"""What a handler says of an event, and what every handler is given."""

from typing import NamedTuple

from billing_service.storage.event_rows import EventStatus


class PickedUp(NamedTuple):
    """A waiting event that got its effect, or was found not to be usable, by another one."""

    event_id: str
    event_type: str
    status: EventStatus


class Verdict(NamedTuple):
    """What became of an event in this try."""

    status: EventStatus
    note: str = ""
    """Why it was ignored or quarantined; for the inbox and the log."""
    awaited: str = ""
    """The PaymentIntent whose purchase will pick the event up."""
    completed_after_us: int | None = None
    """Age of the purchase that got its credits by this event."""
    picked_up: tuple[PickedUp, ...] = ()
    customer_behind: str = ""
    """The account whose Stripe customer has an older e-mail and name than the account."""


PROCESSED = Verdict(EventStatus.PROCESSED)


def ignored(note: str) -> Verdict:
    return Verdict(EventStatus.IGNORED, note)


def waiting(payment_intent_id: str) -> Verdict:
    """Ignored until a purchase knows the payment."""
    return Verdict(EventStatus.IGNORED, "no purchase knows this payment yet", awaited=payment_intent_id)


def quarantined(note: str) -> Verdict:
    return Verdict(EventStatus.QUARANTINED, note)
