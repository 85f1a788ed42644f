"""The part of a load that is measured: after its warm-up, for a while. What was begun then is finished unmeasured."""

import time
from array import array
from collections import Counter

from tests.bench import load


class MeasuredPart:
    """When a load is measured, and what came of it."""

    def __init__(self, warm_up_s: float, measured_s: float) -> None:
        self.now_s = time.perf_counter()
        self.is_over = False
        """Whether nothing new is to be begun."""
        self.errors: Counter[str] = Counter()
        self.succeeded = 0
        self._warm_at_s = self.now_s + warm_up_s
        self._measured_s = measured_s
        self._begin_s: float | None = None
        self._begin_cpu_s = self._elapsed_s = self._cpu_s = 0.0
        self._latencies_s = array("d")

    def move_on(self) -> None:
        """Reads the clock: once for all answers that arrived together."""
        self.now_s = time.perf_counter()
        if self.is_over:
            return
        if self._begin_s is None:
            if self.now_s >= self._warm_at_s:
                self._begin_s, self._begin_cpu_s = self.now_s, time.process_time()
        elif self.now_s - self._begin_s >= self._measured_s:
            self.is_over = True
            self._elapsed_s = self.now_s - self._begin_s
            self._cpu_s = time.process_time() - self._begin_cpu_s

    def succeed(self, since_s: float) -> None:
        """Counts what took from `since_s` until now."""
        self.succeeded += 1
        if self._begin_s is not None and not self.is_over:
            self._latencies_s.append(self.now_s - since_s)

    def fail(self, what: str) -> None:
        self.errors[what] += 1

    def outcome(self) -> load.Outcome:
        """Everything that was counted."""
        ordered = sorted(self._latencies_s)
        outcome = load.Outcome(
            measured_calls=len(ordered),
            measured_s=self._elapsed_s,
            succeeded_total=self.succeeded,
            failed_total=self.errors.total(),
            errors=dict(self.errors),
        )
        if self._elapsed_s > 0:
            outcome.calls_per_second = outcome.items_per_second = len(ordered) / self._elapsed_s
            outcome.generator_cpu_share = self._cpu_s / self._elapsed_s
        if ordered:
            outcome.p50_ms, outcome.p99_ms = load.percentile(ordered, 0.50) * 1e3, load.percentile(ordered, 0.99) * 1e3
            outcome.max_ms = ordered[-1] * 1e3
        return outcome
