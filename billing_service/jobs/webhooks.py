"""Deliveries of business events, as a job: what it delivers, and what waits."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from billing_service.clock import ClockUs
from billing_service.domain.times import US_PER_S
from billing_service.feed.delivery import Delivery
from billing_service.storage.rows.webhooks import Figures, read_figures
from billing_service.storage.store import Store


class WebhookFigures:
    """Figures of deliveries. What waits is counted by `run`; what this process did, as it goes."""

    def __init__(self, store: Store, clock_us: ClockUs, delivery: Delivery) -> None:
        self._store = store
        self._clock_us = clock_us
        self.delivery = delivery
        self._found = Figures(0, 0, None)

    async def run(self) -> None:
        """Raises Failure."""
        self._found = await self._store.read(read_figures)

    def collect(self) -> Iterator[Metric]:
        """Samples."""
        attempts = CounterMetricFamily(
            "billing_webhook_attempts", "Requests to the endpoint of business events.", labels=("outcome",)
        )
        attempts.add_metric(("delivered",), self.delivery.delivered)
        attempts.add_metric(("failed",), self.delivery.failed)
        yield attempts
        found = self._found
        words = "that were not delivered yet; 1000 means 1000 or more."
        yield GaugeMetricFamily("billing_webhook_waiting", f"Events {words}", value=found.waiting)
        yield GaugeMetricFamily(
            "billing_webhook_dead", "Events that are tried no more; 1000 means 1000 or more.", value=found.dead
        )
        age_s = 0.0 if found.oldest_time_us is None else max(self._clock_us() - found.oldest_time_us, 0) / US_PER_S
        yield GaugeMetricFamily("billing_webhook_oldest_seconds", "Age of the oldest event that waits.", value=age_s)
