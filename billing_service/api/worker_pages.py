"""The metrics of several workers on one page: each sample with the label `worker`, and whether all of them serve."""

import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

PAGE_TIMEOUT_S = 2.0
_SERVING = "billing_serving"


class WorkerPages(Collector):
    """Asks all workers at each scrape. One that does not answer is missing from the page, and not up."""

    def __init__(self, ports: Callable[[], Mapping[int, int | None]]) -> None:
        """`ports`: by worker, where its own page is on loopback; None while it is not there."""
        self._ports = ports

    def describe(self) -> list[Metric]:
        """None beforehand: nobody is asked while the page is set up."""
        return []

    def collect(self) -> Iterator[Metric]:
        merged: dict[str, Metric] = {}
        up = Metric("billing_worker_up", "Whether a worker answers.", "gauge")
        for worker, families in self._pages().items():
            up.add_sample("billing_worker_up", {"worker": str(worker)}, 0 if families is None else 1)
            for family in families or ():
                into = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    into.add_sample(sample.name, {**sample.labels, "worker": str(worker)}, sample.value)
        yield up
        yield from merged.values()

    def all_serve(self) -> bool:
        """Whether every worker answers and says of itself that it serves."""
        return all(
            families is not None
            and any(sample.value == 1 for family in families if family.name == _SERVING for sample in family.samples)
            for families in self._pages().values()
        )

    def _pages(self) -> dict[int, list[Metric] | None]:
        ports = self._ports()
        with ThreadPoolExecutor(max(1, len(ports))) as threads:
            return dict(zip(ports, threads.map(_page, ports.values()), strict=True))


def _page(port: int | None) -> list[Metric] | None:
    if port is None:
        return None
    try:
        # A worker of this program, on loopback.
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PAGE_TIMEOUT_S) as answer:
            return list(text_string_to_metric_families(answer.read().decode()))
    except (OSError, ValueError):
        return None
