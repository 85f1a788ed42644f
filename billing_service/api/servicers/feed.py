"""AdminService, the feed and its deliveries: from their messages to what is read and done, and back."""

from typing import Final, cast

from prepaid.billing.v1 import events_pb2

from billing_service.api import translate, validation
from billing_service.api.page_tokens import decode_page_token, encode_page_token
from billing_service.api.pipeline import Call
from billing_service.api.requests import Replies, request_of
from billing_service.api.streams.event_feed import FeedImplementation, Wanted
from billing_service.commands.environment import Environment
from billing_service.domain.deliveries import NEVER_US, DeliveryState
from billing_service.domain.ledger.events import PlacedEvent
from billing_service.domain.refusals import invalid_field
from billing_service.feed.dead_letters import ReplayDeliveries, Undelivered, replay_deliveries, undelivered
from billing_service.feed.tail import Feed, parse_position, position_text

POSITION_MAX: Final = 64
"""Characters of a position that are looked at."""
KINDS_MAX: Final = 32
_STATES: Final = frozenset(int(state) for state in DeliveryState)
_replayed: Final = Replies(events_pb2.ReplayWebhookDeliveriesResponse)
_KINDS: Final = frozenset(events_pb2.EventKind.values()) - {0}


class Feeding:
    """Methods of AdminService."""

    def __init__(self, environment: Environment, feed: Feed, page_token_secret: bytes) -> None:
        self._environment = environment
        self._page_token_secret = page_token_secret
        self.tail_events = FeedImplementation(read=_read, encode=_encode, feed=feed)

    async def list_webhook_deliveries(
        self, request: events_pb2.ListWebhookDeliveriesRequest, call: Call
    ) -> events_pb2.ListWebhookDeliveriesResponse:
        del call
        state = validation.known_value("state", request.state, _STATES) if request.state else 0
        size, secret = validation.page_size(request.page_size), self._page_token_secret
        binding = ("webhook deliveries", state)
        after = int(decode_page_token(secret, request.page_token, binding)) if request.page_token else 0
        found, last = await undelivered(self._environment, after, state, size)
        return events_pb2.ListWebhookDeliveriesResponse(
            deliveries=[_delivery(each) for each in found],
            next_page_token=encode_page_token(secret, str(last), binding) if last else "",
        )

    async def replay_webhook_deliveries(self, request: events_pb2.ReplayWebhookDeliveriesRequest, call: Call) -> bytes:
        account_id = validation.account_id(request.account_id) if request.account_id else ""
        keyed = request_of(call, "", request.idempotency_key, account_id)
        return _replayed(
            await replay_deliveries(self._environment, ReplayDeliveries(keyed, account_id, _encode_replayed))
        )


def _encode_replayed(count: int) -> bytes:
    return events_pb2.ReplayWebhookDeliveriesResponse(delivery_count=count).SerializeToString()


def _delivery(listed: Undelivered) -> events_pb2.WebhookDelivery:
    is_due = listed.state == DeliveryState.WAITING and listed.retry_time_us < NEVER_US
    return events_pb2.WebhookDelivery(
        event=encode_event(listed.event),
        state=cast("events_pb2.WebhookDeliveryState.ValueType", listed.state),
        attempt_count=listed.attempt_count,
        retry_time=translate.timestamp(listed.retry_time_us) if is_due else None,
        error=listed.error,
    )


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
