"""AdminService, TailEvents: from its messages to what is read of the feed, and back."""

from typing import Final, cast

from prepaid.billing.v1 import events_pb2

from billing_service.api import translate, validation
from billing_service.api.streams.event_feed import FeedImplementation, Wanted
from billing_service.domain.ledger.events import PlacedEvent
from billing_service.domain.refusals import invalid_field
from billing_service.feed.tail import Feed, parse_position, position_text

POSITION_MAX: Final = 64
"""Characters of a position that are looked at."""
KINDS_MAX: Final = 32
_KINDS: Final = frozenset(events_pb2.EventKind.values()) - {0}


class Feeding:
    """Methods of AdminService."""

    def __init__(self, feed: Feed) -> None:
        self.tail_events = FeedImplementation(read=_read, encode=_encode, feed=feed)


def _read(request: events_pb2.TailEventsRequest) -> Wanted:
    if len(request.after) > POSITION_MAX:
        raise invalid_field("after", f"must be of at most {POSITION_MAX} characters")
    after = parse_position(request.after) if request.after else None
    if request.after and request.from_now:
        raise invalid_field("from_now", "may not be set together with after")
    kinds = frozenset(request.kinds)
    if len(request.kinds) > KINDS_MAX or len(kinds) < len(request.kinds):
        raise invalid_field("kinds", f"must be at most {KINDS_MAX}, all different")
    if not kinds <= _KINDS:
        raise invalid_field("kinds", "must be kinds that this service knows")
    account_id = validation.account_id(request.account_id) if request.account_id else ""
    return Wanted(account_id, kinds, after, request.from_now)


def _encode(event: PlacedEvent | None, position: int) -> bytes:
    message = events_pb2.TailEventsResponse(position=position_text(position))
    if event is not None:
        message.event.CopyFrom(encode_event(event))
    return message.SerializeToString()


def encode_event(event: PlacedEvent) -> events_pb2.Event:
    """As consumers are sent it. A kind of a newer program goes along as its number."""
    return events_pb2.Event(
        event_id=event.event_id,
        kind=cast("events_pb2.EventKind.ValueType", event.kind),
        account_id=event.account_id,
        account_version=event.account_version,
        create_time=translate.timestamp(event.create_time_us),
        subject_id=event.subject_id,
        detail={name: str(value) for name, value in event.detail.items()},
    )
