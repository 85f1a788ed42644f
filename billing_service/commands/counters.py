"""What became of events and purchases, in plain integers that are read at each scrape. Counted after the commit: a unit
of work may run several times."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from billing_service.domain.times import US_PER_S

BOUNDS_S = (5.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0, 86_400.0)
"""Upper bounds: from a webhook that came at once, over a customer who pays within minutes, to the day after which pages
are closed."""
FAILED = "FAILED"
"""Outcome of a try that the service could not finish; Stripe delivers again."""


@dataclass(slots=True)
class Durations:
    """How long something took, by `BOUNDS_S`."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    seconds_sum: float = 0.0

    def observe(self, duration_us: int) -> None:
        """What clocks that differ make negative counts as nothing."""
        seconds = max(duration_us, 0) / US_PER_S
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.seconds_sum += seconds


@dataclass(slots=True)
class Counters:
    """Of one process, from its start."""

    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Tries to process an event of Stripe, by its type and the outcome."""
    event_delays: Durations = field(default_factory=Durations)
    """From the moment that an event reports to its effect."""
    completions: Durations = field(default_factory=Durations)
    """From a purchase's creation to its credits."""
