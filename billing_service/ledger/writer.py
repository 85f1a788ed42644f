"""Group commit: while one transaction commits, operations gather for the next. Replies leave after the commit."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import structlog

from billing_service.domain.ledger.account import Ids
from billing_service.domain.refusals import Failure, Reason
from billing_service.domain.spending.deductions import STANDARD_TERMS, SpendingTerms
from billing_service.ledger.account_cache import AccountCache
from billing_service.ledger.changes import Changes
from billing_service.ledger.contention import Contention
from billing_service.ledger.gathering import Gatherer, interrupted_inside
from billing_service.ledger.keys import Answer
from billing_service.ledger.operations.operation import Operation
from billing_service.ledger.posting import Judgement, Outcome, Posted, post_batch
from billing_service.storage.statements import Work
from billing_service.storage.store import Store

log = structlog.get_logger(__name__)

ISOLATION_S = 1.0
"""How long an account whose lock could not be had is kept out of batches: it would hold up all others in them."""

OPTIMISTIC_ATTEMPTS_MAX = 1
"""Attempts of a batch without row locks. After that the cache was stale or there is contention: lock first."""

Reply = Outcome | Exception | asyncio.Future[Answer]
Waiting = tuple[Operation[Any], asyncio.Future[Answer]]


@dataclass(slots=True)
class WriterCounters:
    """What the group commit did."""

    operations: int = 0
    """Operations posted, refused ones included."""
    batches: int = 0
    """Transactions that were asked of the store."""
    batches_run_again: int = 0
    """Batches of which something ran again: others had changed an account since it was read or cached."""
    operations_run_again: int = 0


class LedgerWriter:
    """The one write path of operations that share a transaction: batches form while the previous one commits.

    Operations whose account others change too go another way: batches of their own, which lock first and may wait for
    others. An account is on one way at a time, so that its operations keep their order.
    """

    def __init__(
        self,
        store: Store,
        clock_us: Callable[[], int],
        ids: Ids,
        *,
        batch_max: int,
        wait_s: float,
        changes: Changes | None = None,
        terms: SpendingTerms = STANDARD_TERMS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._batch_max = batch_max
        self._monotonic = monotonic
        self._judgement = Judgement(clock_us, ids, terms)
        self._gatherer: Gatherer[Operation[Any], Answer] = Gatherer(self._commit, batch_max=batch_max, wait_s=wait_s)
        self._locking: Gatherer[Operation[Any], Answer] = Gatherer(
            self._commit_locked, batch_max=batch_max, wait_s=wait_s
        )
        self._locked: Counter[str] = Counter()
        """By account, the operations that were sent the locking way and are not answered."""
        self._closing = False
        self._cache = AccountCache()
        self._changes = changes or Changes()
        self._contention = Contention(monotonic)
        self._isolated_until: dict[str, float] = {}
        self._isolated: dict[str, deque[Waiting]] = {}
        """What waits behind what is being posted of one account by itself: in a batch it could overtake that."""
        self.counters = WriterCounters()

    def submit(self, operation: Operation[Any]) -> "asyncio.Future[Answer]":
        """Posts an operation; the answer comes once it is durable. The future raises Refusal or Failure."""
        if (self._locked or self._contention) and not self._closing:
            account_id = operation.account_id
            if account_id in self._locked or self._contention.locks_first(account_id):
                return self._submit_locked(operation)
        return self._gatherer.submit(operation)

    async def close(self) -> None:
        """Posts what was submitted, then ends."""
        self._closing = True
        await self._gatherer.close()
        await self._locking.close()

    def _submit_locked(
        self, operation: Operation[Any], future: "asyncio.Future[Answer] | None" = None
    ) -> "asyncio.Future[Answer]":
        future = self._locking.submit(operation, future)
        self._locked[operation.account_id] += 1
        future.add_done_callback(lambda _: self._answered_locked(operation.account_id))
        return future

    def _answered_locked(self, account_id: str) -> None:
        self._locked[account_id] -= 1
        if not self._locked[account_id]:
            del self._locked[account_id]

    async def _commit(self, operations: Sequence[Operation[Any]]) -> Sequence[Reply]:
        self.counters.operations += len(operations)
        return await self._apart_from_isolated(operations, self._together)

    async def _commit_locked(self, operations: Sequence[Operation[Any]]) -> Sequence[Reply]:
        self.counters.operations += len(operations)
        return await self._apart_from_isolated(operations, self._together_locked)

    async def _apart_from_isolated(
        self,
        operations: Sequence[Operation[Any]],
        post: Callable[[Sequence[Operation[Any]]], Awaitable[Sequence[Reply]]],
    ) -> Sequence[Reply]:
        if not self._isolated_until and not self._isolated:
            return await post(operations)
        now = self._monotonic()
        self._isolated_until = {account_id: until for account_id, until in self._isolated_until.items() if until > now}
        isolated_ids = self._isolated_until.keys() | self._isolated.keys()
        isolated = [operation for operation in operations if operation.account_id in isolated_ids]
        replies: dict[int, Reply] = dict(zip(map(id, isolated), self._by_account(isolated), strict=True))
        together = [operation for operation in operations if operation.account_id not in isolated_ids]
        if together:
            replies |= zip(map(id, together), await post(together), strict=True)
        return [replies[id(operation)] for operation in operations]

    async def _together_locked(self, operations: Sequence[Operation[Any]]) -> Sequence[Reply]:
        return await self._together(operations, lock_first=True)

    async def _together(self, operations: Sequence[Operation[Any]], *, lock_first: bool = False) -> Sequence[Reply]:
        """One transaction for all; when it fails for a reason that one of them may have brought, each account by
        itself."""
        try:
            return self._run_again_locked(operations, await self._post(operations, lock_first=lock_first))
        except Failure as failure:
            if failure.reason is not Reason.CONFLICT:
                return [failure] * len(operations)
        # a defect, perhaps of one operation: it is logged, and its neighbours go on without it
        except Exception as error:
            if len(operations) == 1:
                return [error]
            log.exception("batch_failed", operations=len(operations))
        return self._by_account(operations)

    async def _post(self, operations: Sequence[Operation[Any]], *, lock_first: bool) -> Posted:
        def work(attempt: int) -> Work[Posted]:
            saw = self._contention.saw if lock_first or attempt > OPTIMISTIC_ATTEMPTS_MAX else None
            return post_batch(operations, self._judgement, self._cache, saw=saw)

        self.counters.batches += 1
        posted = await self._store.write_by_attempt(work)
        if posted.changed:
            self.counters.batches_run_again += 1
            self.counters.operations_run_again += sum(each.account_id in posted.changed for each in operations)
            self._contention.met(posted.changed)
        self._cache.keep(
            posted.moved
            if not self._contention
            else [account for account in posted.moved if not self._contention.left(account)]
        )
        if self._changes.waiting:
            self._changes.note(posted.moved)
        return posted

    def _run_again_locked(self, operations: Sequence[Operation[Any]], posted: Posted) -> Sequence[Reply]:
        """The outcomes of a batch. What must run again goes the locking way, and what waits of its accounts follows."""
        outcomes = posted.outcomes
        if None not in outcomes:
            return cast(list[Outcome], outcomes)
        self.counters.operations -= outcomes.count(None)  # counted when they run again
        replies = [
            self._submit_locked(operation) if outcome is None else outcome
            for operation, outcome in zip(operations, outcomes, strict=True)
        ]
        for operation, future in self._gatherer.let_go(lambda waiting: waiting.account_id in self._locked):
            if not future.done():
                self._submit_locked(operation, future)
        return replies

    def _by_account(self, operations: Sequence[Operation[Any]]) -> list[Reply]:
        """A transaction for each account, while other batches go on: the culprit fails alone. Each account's keep their
        order."""
        loop = asyncio.get_running_loop()
        replies: list[asyncio.Future[Answer]] = [loop.create_future() for _ in operations]
        for operation, reply in zip(operations, replies, strict=True):
            waiting = self._isolated.get(operation.account_id)
            if waiting is None:
                waiting = self._isolated[operation.account_id] = deque()
                self._locking.run_in_background(self._post_isolated(operation.account_id, waiting))
            waiting.append((operation, reply))
        return list(replies)

    async def _post_isolated(self, account_id: str, waiting: deque[Waiting]) -> None:
        try:
            while waiting:
                await self._post_group(
                    account_id, [waiting.popleft() for _ in range(min(len(waiting), self._batch_max))]
                )
        finally:
            del self._isolated[account_id]

    async def _post_group(self, account_id: str, group: list[Waiting]) -> None:
        outcomes: Sequence[Outcome | Exception]
        try:
            posted = await self._post([operation for operation, _ in group], lock_first=True)
            outcomes = cast(list[Outcome], posted.outcomes)
        except Failure as failure:
            if failure.reason is Reason.CONFLICT:
                self._isolated_until[account_id] = self._monotonic() + ISOLATION_S
            outcomes = [failure] * len(group)
        except asyncio.CancelledError as error:
            outcomes = [interrupted_inside(error)] * len(group)
        except Exception as error:  # as above, within one account
            if len(group) > 1:
                log.exception("account_failed", operations=len(group))
                for pair in group:
                    await self._post_group(account_id, [pair])
                return
            outcomes = [error]
        for (_, reply), outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, Exception):
                reply.set_exception(outcome)
            else:
                reply.set_result(outcome)
