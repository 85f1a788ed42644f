"""What the ledger and its store were really asked to do, for Prometheus. Read at each scrape: the hot path only counts."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from billing_service.ledger.writer import LedgerWriter
from billing_service.storage.store import Store


class LedgerMetrics(Collector):
    """Counters of the ledger."""

    def __init__(self, store: Store, writer: LedgerWriter) -> None:
        self._store = store
        self._writer = writer

    def collect(self) -> Iterator[Metric]:
        counters = self._store.counters
        for name, words, value in (
            ("billing_ledger_operations", "Ledger operations posted, refused ones included", self._writer.operations),
            ("billing_ledger_commits", "Transactions committed durably", counters.commits),
            ("billing_ledger_statements", "SQL statements of writing transactions, BEGIN and COMMIT included", counters.statements),
            ("billing_ledger_conflicts", "Runs of a transaction that met another writer", counters.conflicts),
        ):
            yield CounterMetricFamily(name, words, value=value)
