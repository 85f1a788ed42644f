"""What a handler says of an event, and what every handler is given."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from billing_service.domain.inbox import EventStatus

Did = Mapping[str, object]
"""What an event is about and what it changed, as fields of a log line: ids, statuses, amounts and names of fields. No
text that a person wrote, no e-mail address and no name."""
NOTHING: Final[Did] = MappingProxyType({})


class PickedUp(NamedTuple):
    """A waiting event that got its effect, or was found not to be usable, by another one."""

    event_id: str
    event_type: str
    status: EventStatus
    note: str = ""
    did: Did = NOTHING


class Result(NamedTuple):
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
    did: Did = NOTHING

    def about(self, did: Did) -> "Result":
        """The same, with more for the log. What is there already stays, and what is empty is left out."""
        return self._replace(did={**{name: value for name, value in did.items() if value != ""}, **self.did})


PROCESSED = Result(EventStatus.PROCESSED)


def ignored(note: str) -> Result:
    return Result(EventStatus.IGNORED, note)


def waiting(payment_intent_id: str) -> Result:
    """Ignored until a purchase knows the payment."""
    return Result(EventStatus.IGNORED, "no purchase knows this payment yet", awaited=payment_intent_id)


def quarantined(note: str) -> Result:
    return Result(EventStatus.QUARANTINED, note)
