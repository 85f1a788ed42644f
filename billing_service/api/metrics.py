"""Figures of the gRPC edge, under the names that dashboards for gRPC already know (go-grpc-prometheus).

A call counts into plain integers on the event loop's thread, 0.3 µs in all. A collector turns them into metrics at each
scrape. A scrape may therefore see a call counted as handled whose time is not in the histogram yet; it never loses one.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import grpc
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from billing_service.api.admission import Admission
from billing_service.api.health import HealthServicer, Readiness
from billing_service.domain.refusals import Reason

BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds: a deduction takes about a millisecond, a call to Stripe up to seconds."""

CODE_NAMES: Final[dict[grpc.StatusCode, str]] = {
    code: "OK" if code is grpc.StatusCode.OK else "".join(word.capitalize() for word in code.name.split("_"))
    for code in grpc.StatusCode
} | {grpc.StatusCode.CANCELLED: "Canceled"}
"""As Go spells them, which is what the dashboards filter by."""

SERVER: Final = "billing"
"""All that the metrics endpoint says of the program that answers."""
REPLAYS: Final[Counter[str]] = Counter()
"""Repeats that this process answered with the original reply, by type of response."""


@dataclass(slots=True)
class MethodCounts:
    """What happened to the calls of one method."""

    service: str
    method: str
    started: int = 0
    ok: int = 0
    failed: Counter[grpc.StatusCode] = field(default_factory=Counter)
    seconds_sum: float = 0.0
    bucket_counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))

    def observe(self, seconds: float) -> None:
        self.seconds_sum += seconds
        self.bucket_counts[bisect_left(BUCKETS_S, seconds)] += 1


class CallMetrics(Collector):
    """All methods' counts, exposed through the registry that it is given."""

    def __init__(self, registry: CollectorRegistry, admission: Admission) -> None:
        self.refusals: Counter[Reason] = Counter()
        self._admission = admission
        self._methods: list[MethodCounts] = []
        registry.register(self)

    def counts_of(self, service: str, method: str) -> MethodCounts:
        """A place for the counts of one method; call once per method."""
        counts = MethodCounts(service, method)
        self._methods.append(counts)
        return counts

    def collect(self) -> Iterator[Metric]:
        method_labels = ("grpc_service", "grpc_method")
        started = CounterMetricFamily("grpc_server_started", "Calls begun.", labels=method_labels)
        handled = CounterMetricFamily(
            "grpc_server_handled", "Calls ended, by status.", labels=(*method_labels, "grpc_code")
        )
        seconds = HistogramMetricFamily(
            "grpc_server_handling_seconds", "Time from a call's arrival to its answer.", labels=method_labels
        )
        for counts in self._methods:
            labels = (counts.service, counts.method)
            started.add_metric(labels, counts.started)
            handled.add_metric((*labels, "OK"), counts.ok)
            for code, count in list(counts.failed.items()):
                handled.add_metric((*labels, CODE_NAMES[code]), count)
            seconds.add_metric(labels, _cumulative(counts.bucket_counts), counts.seconds_sum)
        yield started
        yield handled
        yield seconds
        refusals = CounterMetricFamily(
            "billing_refusals", "Calls, and deductions among many, answered with no, by reason.", labels=("reason",)
        )
        for reason in Reason:  # all of them: Prometheus sees no increase in a counter whose first sample is one
            refusals.add_metric((reason.value,), self.refusals[reason])
        yield refusals
        replays = CounterMetricFamily(
            "billing_replays", "Repeats answered with the original reply.", labels=("response",)
        )
        for response, count in list(REPLAYS.items()):
            replays.add_metric((response,), count)
        yield replays
        yield GaugeMetricFamily("billing_in_flight", "Calls in flight.", value=self._admission.in_flight)
        yield GaugeMetricFamily(
            "billing_balance_watchers", "Streams that watch a balance.", value=self._admission.watchers
        )
        yield GaugeMetricFamily(
            "billing_feed_consumers", "Streams of the event feed.", value=self._admission.feed_consumers
        )
        yield CounterMetricFamily(
            "billing_shed", "Calls refused because too many were in flight.", value=self._admission.shed
        )


class HealthMetrics(Collector):
    """What the probe of the database says, and what health makes of it."""

    def __init__(self, registry: CollectorRegistry, health: HealthServicer, readiness: Readiness) -> None:
        self._health = health
        self._readiness = readiness
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("billing_serving", "1 while health says SERVING.", value=self._health.serving)
        yield GaugeMetricFamily(
            "billing_database_up", "1 while the probe that writes succeeds.", value=self._readiness.succeeded
        )
        yield CounterMetricFamily(
            "billing_database_probe_failures", "Probes that failed.", value=self._readiness.failures
        )


def _cumulative(bucket_counts: list[int]) -> list[tuple[str, float]]:
    total = 0
    buckets = []
    for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), bucket_counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets


HEALTH_PATH = "/health"


class MetricsServer:
    """Serves a registry over HTTP, in a thread of its own, so that a busy event loop can still be observed."""

    def __init__(
        self, registry: CollectorRegistry, host: str, port: int, is_healthy: Callable[[], bool] | None = None
    ) -> None:
        """Listens at once; port 0 lets the system choose. OSError when the address can't be had. `is_healthy` is what
        /health answers by, with 200 or 503; without it there is no such page."""
        self._server, self._thread = start_http_server(port, host, registry)
        _name_no_version(self._server, is_healthy)

    @property
    def port(self) -> int:
        return self._server.server_port

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(WSGIRequestHandler):
    """Says nothing to a log, and nothing of versions in the answers that Python's own server makes by itself."""

    def version_string(self) -> str:
        return SERVER

    def log_message(self, *_: Any) -> None:
        """No line for a scrape."""


def _name_no_version(server: WSGIServer, is_healthy: Callable[[], bool] | None) -> None:
    """Python's own server would name its version and Python's in every answer."""
    server.RequestHandlerClass = _Handler
    application = server.get_app()
    assert application is not None

    def named(environ: Any, start_response: Any) -> Any:
        if is_healthy is not None and environ["PATH_INFO"] == HEALTH_PATH:
            serving = is_healthy()
            start_response("200 OK" if serving else "503 Service Unavailable", [("Server", SERVER)])
            return [b"SERVING\n" if serving else b"NOT_SERVING\n"]
        return application(
            environ, lambda status, headers, *error: start_response(status, [*headers, ("Server", SERVER)], *error)
        )

    server.set_app(named)
