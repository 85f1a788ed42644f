"""What the ledger, its store and the sale of credits were really asked to do, for Prometheus. Read at each scrape: the
paths only count."""

import platform
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from billing_service.commands.counters import BOUNDS_S, FAILED, Counters, Durations
from billing_service.commands.environment import Environment
from billing_service.ledger.writer import LedgerWriter
from billing_service.payments.ports.provider import OPERATIONS
from billing_service.storage.sqlite.wal import wal_bytes
from billing_service.storage.store import Store
from billing_service.stripe_events.inbox import OTHER_TYPES, Outcome
from billing_service.stripe_events.registry import BY_TYPE
from billing_service.version import program_version

CONFLICT_CAUSES = ("40001", "40P01", "55P03", "SQLITE_BUSY")
FAILURE_CODES = ("57014", "TimeoutError")
"""Shown from the start, at zero: Prometheus sees no increase in a counter whose first sample is one."""
STRIPE_OUTCOMES = ("ok", "refused", "key_refused", "unavailable")


def service_registry(
    environment: Environment, stripe_calls: Counter[tuple[str, str]], database: Path | None
) -> CollectorRegistry:
    """All but what server and jobs add of their own. `stripe_calls`: by operation and how they ended. `database` is the
    file of a SQLite database."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(BuildMetrics())
    registry.register(LedgerMetrics(environment.store, environment.writer, database))
    registry.register(SalesMetrics(environment.counters, stripe_calls))
    return registry


class BuildMetrics(Collector):
    """Which program this is."""

    def __init__(self) -> None:
        self._labels = {
            "version": program_version(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
        }

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("billing_build", "Which program this is.", value=self._labels)


class LedgerMetrics(Collector):
    """Counters of the ledger and its store. `database` is the file of a SQLite database."""

    def __init__(self, store: Store, writer: LedgerWriter, database: Path | None = None) -> None:
        self._store = store
        self._writer = writer
        self._database = database

    def collect(self) -> Iterator[Metric]:
        written, read = self._store.counters, self._store.read_counters
        writer = self._writer.counters
        for name, words, value in (
            ("billing_ledger_operations", "Ledger operations posted, refused ones included", writer.operations),
            ("billing_ledger_batches", "Transactions of operations", writer.batches),
            (
                "billing_ledger_batches_run_again",
                "Batches of which something ran again: another had changed an account",
                writer.batches_run_again,
            ),
            (
                "billing_ledger_operations_run_again",
                "Ledger operations that ran again: another had changed their account",
                writer.operations_run_again,
            ),
            ("billing_ledger_commits", "Transactions committed durably", written.commits),
            (
                "billing_ledger_statements",
                "SQL statements of writing transactions, BEGIN and COMMIT included",
                written.statements,
            ),
            ("billing_ledger_conflicts", "Runs of a transaction that met another writer", written.conflicts),
            (
                "billing_database_conflict_seconds",
                "Time of runs that ended in a conflict",
                written.conflict_s + read.conflict_s,
            ),
        ):
            yield CounterMetricFamily(name, words, value=value)
        conflicts = written.conflict_causes + read.conflict_causes
        failures = written.failures + read.failures
        yield _counted(
            "billing_database_retries", "Conflicts, by SQLSTATE or SQLite's code.", "cause", conflicts, CONFLICT_CAUSES
        )
        yield _counted(
            "billing_database_failures", "Transactions that the database could not do.", "code", failures, FAILURE_CODES
        )
        if self._database is not None:
            yield GaugeMetricFamily(
                "billing_sqlite_wal_bytes", "Size of the write-ahead log.", value=wal_bytes(self._database)
            )


class SalesMetrics(Collector):
    """Stripe's events, purchases, and calls to Stripe (by operation and how they ended)."""

    def __init__(self, counters: Counters, stripe_calls: Counter[tuple[str, str]]) -> None:
        self._counters = counters
        self._stripe_calls = stripe_calls

    def collect(self) -> Iterator[Metric]:
        events = CounterMetricFamily(
            "billing_stripe_events", "Tries to process an event, by outcome.", labels=("event_type", "outcome")
        )
        for event_type in (*sorted(BY_TYPE), OTHER_TYPES):
            for outcome in (*Outcome, FAILED):
                events.add_metric((event_type, str(outcome)), self._counters.events[event_type, str(outcome)])
        yield events
        calls = CounterMetricFamily(
            "billing_stripe_calls", "Calls to Stripe, by how they ended.", labels=("operation", "outcome")
        )
        for operation in OPERATIONS:
            for outcome in STRIPE_OUTCOMES:
                calls.add_metric((operation, outcome), self._stripe_calls[operation, outcome])
        yield calls
        yield _histogram(
            "billing_stripe_event_delay_seconds", "From an event at Stripe to its effect.", self._counters.event_delays
        )
        yield _histogram(
            "billing_purchase_completion_seconds", "From a purchase to its credits.", self._counters.completions
        )


def _counted(name: str, words: str, label: str, counts: Counter[str], known: tuple[str, ...]) -> Metric:
    metric = CounterMetricFamily(name, words, labels=(label,))
    for value in sorted({*known, *counts}):
        metric.add_metric((value,), counts[value])
    return metric


def _histogram(name: str, words: str, durations: Durations) -> Metric:
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), list(durations.counts), strict=True):
        total += count
        buckets.append((bound, total))
    return HistogramMetricFamily(name, words, buckets=buckets, sum_value=durations.seconds_sum)
