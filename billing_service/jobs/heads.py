"""Exports the heads of all chains now and then, so that a rewritten ledger is noticed."""

from datetime import UTC, datetime
from pathlib import Path

import structlog

from billing_service.clock import ClockUs
from billing_service.domain.times import US_PER_S
from billing_service.integrity.heads import export_heads
from billing_service.storage.store import Store

log = structlog.get_logger(__name__)


class HeadsExport:
    """Writes one more export into `directory`, named by the time, and logs its digest. Whoever guards the files
    elsewhere, or the log, guards the ledger."""

    def __init__(self, store: Store, directory: Path, clock_us: ClockUs) -> None:
        self._store = store
        self._directory = directory
        self._clock_us = clock_us
        self.begun_us = clock_us()
        self.exported_us: int | None = None
        """When the last export ended; None before the first."""
        self.accounts = 0
        """In the last export."""

    async def run(self) -> None:
        moment = datetime.fromtimestamp(self._clock_us() / US_PER_S, UTC)
        path = self._directory / f"heads-{moment:%Y%m%dT%H%M%S.%fZ}.jsonl"
        exported = await export_heads(self._store, path)
        self.exported_us, self.accounts = self._clock_us(), exported.accounts
        log.info("heads_exported", file=path.name, accounts=exported.accounts, sha256=exported.digest)
