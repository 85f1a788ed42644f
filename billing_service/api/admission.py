"""How many calls the service takes on at once. Beyond that it says so at once, which costs microseconds, instead of
queueing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from billing_service.domain.refusals import Failure
from billing_service.domain.refusals.serving import overloaded, shutting_down

DEDUCTIONS_PER_CALL: Final = 4
"""Deductions in one call or on one stream that weigh as much as one call: about what they cost without a call of their
own each."""


def weight_of(deductions: int) -> int:
    """As how many calls in flight so many unanswered deductions count."""
    return -(-deductions // DEDUCTIONS_PER_CALL)


@dataclass(slots=True)
class Admission:
    """Counts calls in flight on one event loop. Health checks do not pass through here: an overloaded process is not a
    dead one."""

    in_flight_max: int
    in_flight: int = 0
    shed: int = 0
    """Calls refused so far."""
    draining: bool = False
    """Whether the server is on its way out; it then explains interrupted calls."""
    streams: set[Callable[[], None]] = field(default_factory=set)
    """Each lets one live stream end once it has answered what it read."""
    streams_ended: bool = False
    watchers: int = 0
    """Streams that watch a balance. They wait most of the time, and are no calls in flight."""
    feed_consumers: int = 0
    """Streams of the event feed, of which the same is true."""
    part_calls: int = 0
    """Calls that are answered in parts, of which the same is true."""

    def refuse(self) -> Failure:
        self.shed += 1
        return overloaded()

    def take_more(self, calls: int) -> None:
        """Lets a call that is in flight count as more of them, or raises OVERLOADED. Give them back by subtraction.

        A call that weighs more than the whole bound is taken when it is alone, or it would never be.
        """
        if self.in_flight + calls > self.in_flight_max and self.in_flight > 1:
            raise self.refuse()
        self.in_flight += calls

    def take_stream(self) -> None:
        """Counts a stream as a call, or raises OVERLOADED, or SHUTTING_DOWN once streams are being ended."""
        if self.streams_ended:
            raise shutting_down()
        if self.in_flight >= self.in_flight_max:
            raise self.refuse()
        self.in_flight += 1

    def end_streams(self) -> None:
        """Lets all streams end, and no more begin."""
        self.streams_ended = True
        for end in tuple(self.streams):
            end()
