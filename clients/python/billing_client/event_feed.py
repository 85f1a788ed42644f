"""What both clients keep of the event feed: where it goes on, and how long it does without a connection."""

import time
from collections.abc import Sequence

import grpc
from prepaid.billing.v1.events_pb2 import EventKind, TailEventsRequest, TailEventsResponse

from billing_client.error_details import billing_error
from billing_client.messages import message
from billing_client.retries import is_worth_repeating, pause_s


class EventFeed:
    """One reading of the feed over all its connections. `request` goes on after the newest message that came."""

    def __init__(
        self, after: str, kinds: Sequence[EventKind.ValueType], account_id: str, *, from_now: bool, timeout_s: float
    ) -> None:
        self.request = message(TailEventsRequest, after=after, kinds=kinds, account_id=account_id, from_now=from_now)
        self._timeout_s = timeout_s
        self._gives_up_s = time.monotonic() + timeout_s
        self._failures = 0

    def is_event(self, response: TailEventsResponse) -> bool:
        """Whether a message has an event. One without moves the position alone."""
        self._failures, self._gives_up_s = 0, time.monotonic() + self._timeout_s
        self.request.after, self.request.from_now = response.position, False
        return response.HasField("event")

    def pause_s(self, failure: grpc.RpcError) -> float:
        """Seconds before the next connection. Raises what ended the feed where none is to follow."""
        error = billing_error(failure, self.request)
        self._failures += 1
        pause = pause_s(self._failures, error.retry_after_s)
        if not is_worth_repeating(error) or time.monotonic() + pause >= self._gives_up_s:
            raise error from failure
        return pause
