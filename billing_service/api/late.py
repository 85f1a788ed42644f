"""What can't be submitted at once, because something must be read first: the card that prices it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, NamedTuple, TypeVar

Result = TypeVar("Result")


class Late(NamedTuple, Generic[Result]):
    """Something that was begun and is not submitted yet. Whoever begins several waits for `submitted` before the next,
    so that they have their effects in their order."""

    answer: "asyncio.Task[Result]"
    """Cancelled, it takes back what has not begun."""
    submitted: "asyncio.Event"
    """Set once it was submitted, or never will be."""


def begin_late(submit: "Coroutine[Any, Any, asyncio.Future[Result]]") -> Late[Result]:
    """Begins what `submit` submits once it has read what it needs."""
    submitted = asyncio.Event()

    async def answer() -> Result:
        future = await submit
        submitted.set()
        return await future

    def end(_answer: "asyncio.Task[Result]") -> None:
        """Also of what was cancelled before its first step, in which nothing of it ran."""
        submit.close()
        submitted.set()

    late = Late(asyncio.get_running_loop().create_task(answer()), submitted)
    late.answer.add_done_callback(end)
    return late
