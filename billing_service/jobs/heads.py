"""Exports the heads of all chains now and then, so that a ledger that was rewritten can be told from the one that was."""

from datetime import UTC, datetime
from pathlib import Path

import structlog

from billing_service.clock import ClockUs
from billing_service.operations.heads import export_heads
from billing_service.storage.store import Store

log = structlog.get_logger(__name__)


async def keep_heads(store: Store, directory: Path, clock_us: ClockUs) -> None:
    """Writes one more export into `directory`, named by the time, and logs its digest. Whoever guards the files elsewhere, or the log,
    guards the ledger."""
    moment = datetime.fromtimestamp(clock_us() / 1_000_000, UTC)
    path = directory / f"heads-{moment:%Y%m%dT%H%M%S.%fZ}.jsonl"
    exported = await export_heads(store, path)
    log.info("heads_exported", file=path.name, accounts=exported.accounts, sha256=exported.digest)
