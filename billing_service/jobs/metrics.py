"""Figures of the jobs, collected at each scrape."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from billing_service.domain.times import US_PER_S
from billing_service.jobs.heads import HeadsExport
from billing_service.jobs.loops import Loop
from billing_service.jobs.open_holds import OpenHolds
from billing_service.jobs.overdue import Overdue
from billing_service.jobs.reconciliation import Reconciliation
from billing_service.jobs.unpriced_usages import UnpricedUsages
from billing_service.jobs.verification import Verification
from billing_service.jobs.webhooks import WebhookFigures


class JobMetrics(Collector):
    """Runs of all jobs, and what those that look for something have found. What is switched off has no sample."""

    def __init__(
        self,
        loops: Sequence[Loop],
        overdue: Sequence[Overdue],
        verification: Verification | None,
        heads: HeadsExport | None,
        heads_interval_s: float,
        *,
        counted: tuple[OpenHolds, UnpricedUsages] | None = None,
        webhooks: WebhookFigures | None = None,
        reconciliation: Reconciliation | None = None,
    ) -> None:
        self._loops = loops
        self._overdue = overdue
        self._verification = verification
        self._heads = heads
        self._heads_interval_s = heads_interval_s
        self._counted = counted
        self._webhooks = webhooks
        self._reconciliation = reconciliation

    def collect(self) -> Iterator[Metric]:
        runs = CounterMetricFamily(
            "billing_job_runs", "Runs of background jobs, by how they ended.", labels=("loop", "outcome")
        )
        for loop in self._loops:
            runs.add_metric((loop.name, "ok"), loop.runs)
            runs.add_metric((loop.name, "failed"), loop.failures)
        yield runs
        for job in self._overdue:
            yield _gauge(job.kind.metric, job.kind.description, job.waiting)
        if self._counted is not None:
            open_holds, unpriced = self._counted
            yield _gauge("billing_holds_open", "Open holds of all accounts.", open_holds.count)
            yield _gauge("billing_holds_microcredits", "What they reserve.", open_holds.microcredits)
            words = "Usages of the last 24 hours that were charged without a price; 1000 means 1000 or more."
            yield _gauge("billing_usages_unpriced", words, unpriced.count)
        if self._webhooks is not None:
            yield from self._webhooks.collect()
        yield from self._of_reconciliation()
        yield from self._of_verification()
        yield from self._of_heads()

    def _of_reconciliation(self) -> Iterator[Metric]:
        job = self._reconciliation
        if job is None:
            return
        words = "Differences between Stripe and the ledger, by what became of them."
        findings = CounterMetricFamily("billing_reconcile_findings", words, labels=("outcome",))
        for outcome, count in job.findings.items():
            findings.add_metric((outcome.name,), count)
        yield findings
        yield CounterMetricFamily(
            "billing_reconcile_compared", "Objects and events of Stripe that were compared.", value=job.compared
        )

    def _of_verification(self) -> Iterator[Metric]:
        job = self._verification
        if job is None:
            return
        yield _gauge(
            "billing_verification_interval_seconds", "Time between verifications of the whole ledger.", job.interval_s
        )
        yield _gauge(
            "billing_verification_completed_timestamp_seconds",
            "When every balance had last been verified; the service's start before the first time.",
            (job.begun_us if job.completed_us is None else job.completed_us) / US_PER_S,
        )
        yield _gauge(
            "billing_verification_duration_seconds", "How long the last whole verification took.", job.duration_s
        )
        yield _gauge("billing_verification_transactions", "Transactions that it followed.", job.transactions)
        yield _gauge(
            "billing_verification_faulty_accounts",
            "Accounts whose balance the ledger does not prove.",
            job.faulty_accounts,
        )
        yield CounterMetricFamily("billing_verification_frozen_accounts", "Accounts frozen for that.", value=job.frozen)

    def _of_heads(self) -> Iterator[Metric]:
        job = self._heads
        if job is None:
            return
        yield _gauge(
            "billing_heads_interval_seconds", "Time between exports of the heads of all chains.", self._heads_interval_s
        )
        yield _gauge(
            "billing_heads_exported_timestamp_seconds",
            "When the heads had last been exported; the service's start before the first time.",
            (job.begun_us if job.exported_us is None else job.exported_us) / US_PER_S,
        )
        yield _gauge("billing_heads_exported_accounts", "Heads in the last export.", job.accounts)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)
