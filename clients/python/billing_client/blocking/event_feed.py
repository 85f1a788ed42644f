"""The feed of business events."""

import time
from collections.abc import Iterator, Sequence

import grpc
from prepaid.billing.v1.events_pb2 import EventKind, TailEventsRequest, TailEventsResponse

from billing_client.blocking.connection import Connection
from billing_client.deadlines import timeout_s_of
from billing_client.event_feed import EventFeed
from billing_client.headers import Headers, overlaid


class EventFeedMethods(Connection):
    def tail_events(
        self,
        *,
        after: str = "",
        kinds: Sequence[EventKind.ValueType] = (),
        account_id: str = "",
        from_now: bool = False,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> Iterator[TailEventsResponse]:
        """Follow the business events in a loop: each as `event`, with the `position` to resume after.

        Act on an event first, then keep its position: so none is missed, and the last may come twice, with the same
        `event_id`. An account's events come in order. A connection that breaks is made anew, and goes on.

        `after`: the position to resume after; empty: the oldest event that is kept, which is 90 days old.
        `kinds`: only these, at most 32; none: all.
        `from_now`: begin after the newest event; not together with `after`.
        `timeout_s`: seconds for each time without a connection; None: 5.
        Raises PositionExpired where events after the position are kept no longer, and what ended the feed otherwise.

            for told in client.tail_events(kinds=[EventKind.EVENT_KIND_PURCHASE_COMPLETED]):
                print(told.event.account_id, told.event.subject_id, told.position)
                break  # a program that reacts keeps the position and goes on
        """
        seconds, metadata = timeout_s_of(TailEventsRequest(), timeout_s), overlaid(self._metadata, headers)
        feed = EventFeed(after, kinds, account_id, from_now=from_now, timeout_s=seconds)
        while True:
            stubs = self._stubs_for(account_id)
            try:
                stubs.reach(seconds)
                call = stubs.admin.TailEvents(feed.request, metadata=metadata)
                try:
                    for response in call:
                        if feed.is_event(response):
                            yield response
                finally:
                    call.cancel()
            except (grpc.RpcError, ValueError) as failed:  # the second is how gRPC refuses a call on a closed channel
                self._lose(stubs)
                if self._was_closed(stubs):
                    return
                if isinstance(failed, ValueError):
                    raise
                time.sleep(feed.pause_s(failed))
            else:
                return
