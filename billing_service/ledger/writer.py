"""Group commit: while one transaction commits, operations gather for the next. Replies leave after the commit."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from billing_service.domain.account import Ids
from billing_service.domain.refusals import Failure, Reason
from billing_service.ledger.gathering import Gatherer
from billing_service.ledger.operations import Answer, Deduct
from billing_service.ledger.posting import Outcome, post_batch
from billing_service.storage.store import Store

log = structlog.get_logger(__name__)


class LedgerWriter:
    """The one write path for deductions."""

    def __init__(self, store: Store, clock_us: Callable[[], int], ids: Ids, *, batch_max: int, wait_s: float) -> None:
        self._store = store
        self._clock_us = clock_us
        self._ids = ids
        self._gatherer: Gatherer[Deduct, Answer] = Gatherer(self._commit, batch_max=batch_max, wait_s=wait_s)
        self.operations = 0
        """Operations posted, refused ones included."""

    def submit(self, operation: Deduct) -> "asyncio.Future[Answer]":
        """Posts an operation; the answer comes once it is durable. The future raises Refusal or Failure."""
        return self._gatherer.submit(operation)

    async def close(self) -> None:
        """Posts what was submitted, then ends."""
        await self._gatherer.close()

    async def _commit(self, operations: Sequence[Deduct]) -> Sequence[Outcome | Exception]:
        self.operations += len(operations)
        try:
            return await self._store.write(lambda: post_batch(operations, self._clock_us, self._ids))
        except Failure as failure:
            if failure.reason is not Reason.CONFLICT or len(operations) == 1:
                return [failure] * len(operations)
        except Exception as error:
            if len(operations) == 1:
                return [error]
            log.exception("batch_failed", operations=len(operations))
        return await self._split(operations)

    async def _split(self, operations: Sequence[Deduct]) -> Sequence[Outcome | Exception]:
        """Finds the culprit of a batch that fails again and again: its neighbours are posted without it."""
        middle = len(operations) // 2
        return [*await self._commit(operations[:middle]), *await self._commit(operations[middle:])]
