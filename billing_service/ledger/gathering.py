"""Gathers calls that wait into one batch, and starts the next batch when the last has ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from billing_service.domain.refusals import Failure, Reason

Question = TypeVar("Question")
Reply = TypeVar("Reply")

QUIET_PASSES = 20
"""Passes of the event loop without an arrival after which a batch starts: those that were on their way have come."""


class Gatherer(Generic[Question, Reply]):
    """Runs questions in batches, in the order of their arrival.

    A batch starts at once for a lone caller. When the last batches were larger, arrivals are awaited for as long as they keep
    coming, and never longer than `wait_s`: many small batches would cost more than the wait.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Question]], Awaitable[Sequence["Reply | Exception | asyncio.Future[Reply]"]]],
        *,
        batch_max: int,
        wait_s: float,
    ) -> None:
        """`run` answers a batch, in order; a future among its replies is answered later, and holds up nobody else."""
        self._run = run
        self._batch_max = batch_max
        self._wait_s = wait_s
        self._waiting: list[tuple[Question, asyncio.Future[Reply]]] = []
        self._arrival: asyncio.Future[None] | None = None
        self._expected = 1
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._beside: set[asyncio.Task[None]] = set()

    def submit(self, question: Question) -> "asyncio.Future[Reply]":
        """Queues a question. Cancelling the future before its batch starts takes the question back; later it has no effect on
        what happens. Raises Failure (SHUTTING_DOWN) once closing has begun."""
        if self._closing:
            raise Failure(Reason.SHUTTING_DOWN, "the service is shutting down")
        loop = asyncio.get_running_loop()
        if self._task is None:
            self._task = loop.create_task(self._serve())
        future: asyncio.Future[Reply] = loop.create_future()
        self._waiting.append((question, future))
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)
        return future

    async def close(self) -> None:
        """Answers what waits, then ends."""
        self._closing = True
        if self._task is not None:
            if self._arrival is not None and not self._arrival.done():
                self._arrival.set_result(None)
            await self._task
        if self._beside:
            await asyncio.wait(self._beside)

    async def _serve(self) -> None:
        while True:
            if not self._waiting:
                if self._closing:
                    return
                self._arrival = asyncio.get_running_loop().create_future()
                await self._arrival
                continue
            if self._expected > 1:
                await self._gather()
            batch = [pair for pair in self._waiting[: self._batch_max] if not pair[1].done()]
            del self._waiting[: self._batch_max]
            if batch:
                self._expected = max(len(batch), self._expected * 3 // 4)
                await self._answer(batch)

    async def _gather(self) -> None:
        """Lets arrivals come in until as many wait as came lately, or the loop stays quiet, or the wait is over."""
        end = time.monotonic() + self._wait_s
        quiet, seen = 0, len(self._waiting)
        while seen < self._expected and quiet < QUIET_PASSES and time.monotonic() < end:
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._waiting) == seen else 0
            seen = len(self._waiting)

    async def _answer(self, batch: list[tuple[Question, "asyncio.Future[Reply]"]]) -> None:
        replies: Sequence[Reply | Exception | asyncio.Future[Reply]]
        try:
            replies = await self._run([question for question, _ in batch])
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]  # a coroutine that runs has a task
                raise
            # From inside, such as a driver's own. Left alone it would end this task, and every later caller would wait for ever.
            interrupted = Failure(Reason.CONFLICT, "the batch was interrupted; the same idempotency key finds out what became of it")
            replies = [interrupted] * len(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller is told; a batch must not end the server
            replies = [error] * len(batch)
        for (_, future), reply in zip(batch, replies, strict=True):
            _deliver(future, reply)

    def go_on_beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs what answers some of a batch later, while the next batches go on. `close` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)


def _deliver(future: "asyncio.Future[Reply]", reply: "Reply | Exception | asyncio.Future[Reply]") -> None:
    if isinstance(reply, asyncio.Future):
        reply.add_done_callback(partial(_pass_on, future))
    elif not future.done():
        if isinstance(reply, Exception):
            future.set_exception(reply)
        else:
            future.set_result(reply)


def _pass_on(future: "asyncio.Future[Reply]", later: "asyncio.Future[Reply]") -> None:
    error = later.exception()
    _deliver(future, error if isinstance(error, Exception) else later.result())
