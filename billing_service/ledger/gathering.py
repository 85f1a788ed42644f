"""Gathers calls that wait into one batch, and starts the next batch when the last has ended."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import Context
from functools import partial
from typing import Any, Generic, TypeVar

from billing_service.domain.refusals import Failure
from billing_service.domain.refusals.serving import interrupted, shutting_down

Question = TypeVar("Question")
Reply = TypeVar("Reply")

GATHERED_SHARE_PERCENT = 100
"""Share of the callers that waited lately for whom a batch waits: the rest come while it commits."""
QUIET_S = 0.001
"""Time without an arrival after which a batch starts: those that were on their way have come. The loop's timers step by
a millisecond."""


class Gatherer(Generic[Question, Reply]):
    """Runs questions in batches, in the order of their arrival.

    A batch starts at once for a lone caller. When many were waiting lately, a batch waits until most of them are there
    again. It waits while arrivals keep coming, and never longer than `wait_s`. Many small batches would cost more than
    the wait.
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
        self._enough = 1
        self._callers = 1
        """How many waited at once lately: in a batch, or for the next."""
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._beside: set[asyncio.Task[None]] = set()

    def submit(self, question: Question, future: "asyncio.Future[Reply] | None" = None) -> "asyncio.Future[Reply]":
        """Queues a question, whose answer comes by `future` if there is one already. Cancelling the future before its
        batch starts takes the question back; later it has no effect on what happens. Raises Failure (SHUTTING_DOWN)
        once closing has begun."""
        if self._closing:
            raise shutting_down()
        loop = asyncio.get_running_loop()
        if self._task is None:
            # A context of its own: it serves all callers, and what it logs is not the first one's.
            self._task = loop.create_task(self._serve(), context=Context())
        if future is None:
            future = loop.create_future()
        self._waiting.append((question, future))
        if len(self._waiting) >= self._enough:
            _wake(self._arrival)
        return future

    def let_go(self, wanted: Callable[[Question], bool]) -> list[tuple[Question, "asyncio.Future[Reply]"]]:
        """Those that wait for the next batch and are wanted elsewhere, in order; they wait here no longer."""
        gone = [pair for pair in self._waiting if wanted(pair[0])]
        if gone:
            self._waiting = [pair for pair in self._waiting if not wanted(pair[0])]
        return gone

    async def close(self) -> None:
        """Answers what waits, then ends."""
        self._closing = True
        if self._task is not None:
            _wake(self._arrival)
            await self._task
        if self._beside:
            await asyncio.wait(self._beside)

    async def _serve(self) -> None:
        while True:
            if not self._waiting:
                if self._closing:
                    return
                self._enough, self._arrival = 1, asyncio.get_running_loop().create_future()
                await self._arrival
                continue
            await self._gather(self._callers * GATHERED_SHARE_PERCENT // 100)
            batch = [pair for pair in self._waiting[: self._batch_max] if not pair[1].done()]
            del self._waiting[: self._batch_max]
            if batch:
                await self._answer(batch)
                self._callers = max(len(batch) + len(self._waiting), self._callers * 7 // 8)

    async def _gather(self, enough: int) -> None:
        """Lets arrivals come in until enough wait, or none has come for a while, or the wait is over. The loop sleeps
        meanwhile: passing through it again and again would keep those that arrive from being accepted."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._wait_s
        while (seen := len(self._waiting)) < enough and loop.time() < end and not self._closing:
            self._enough, self._arrival = enough, loop.create_future()
            quiet = loop.call_later(QUIET_S, _wake, self._arrival)
            await self._arrival
            quiet.cancel()
            if len(self._waiting) == seen:
                return

    async def _answer(self, batch: list[tuple[Question, "asyncio.Future[Reply]"]]) -> None:
        replies: Sequence[Reply | Exception | asyncio.Future[Reply]]
        try:
            replies = await self._run([question for question, _ in batch])
        except asyncio.CancelledError as error:
            replies = [interrupted_inside(error)] * len(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller gets it; a batch must not end the server
            replies = [error] * len(batch)
        for (_, future), reply in zip(batch, replies, strict=True):
            _deliver(future, reply)

    def run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs what answers some of a batch later, while the next batches go on. `close` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)


def interrupted_inside(error: asyncio.CancelledError) -> Failure:
    """The error that callers get for it. Raises it again when the running task is being cancelled; else it comes from
    inside, such as a driver's own. Left alone it would end that task, and every later caller would wait for ever."""
    if asyncio.current_task().cancelling():  # type: ignore[union-attr]  # a coroutine that runs has a task
        raise error
    return interrupted("batch")


def _wake(waiter: "asyncio.Future[None] | None") -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


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
