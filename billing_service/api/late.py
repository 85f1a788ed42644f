"""What can't be submitted at once, because something must be read first: the card that prices it."""

import asyncio
from collections.abc import Awaitable
from typing import Generic, NamedTuple, TypeVar

Result = TypeVar("Result")


class Late(NamedTuple, Generic[Result]):
    """Something that was begun and is not submitted yet. Whoever begins several waits for `submitted` before the next,
    so that they have their effects in their order."""

    answer: "asyncio.Task[Result]"
    """Cancelled, it takes back what has not begun."""
    submitted: "asyncio.Event"
    """Set once it was submitted, or was refused before."""


def begin_late(submit: "Awaitable[asyncio.Future[Result]]") -> Late[Result]:
    """Begins what `submit` submits once it has read what it needs."""
    submitted = asyncio.Event()

    async def answer() -> Result:
        try:
            future = await submit
        finally:
            submitted.set()
        return await future

    return Late(asyncio.get_running_loop().create_task(answer()), submitted)
