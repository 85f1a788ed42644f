"""How a process ends: the first signal lets it finish what it has begun, the second ends it at once."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

SIGNALS = (signal.SIGINT, signal.SIGTERM)
EXIT_OF_SIGNAL = 128
"""What shells add to a signal's number."""


@dataclass(slots=True)
class Stop:
    """What a process that runs looks at."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    cut_off: Callable[[], Awaitable[None]] | None = None
    """Ends what is in flight at once; set by whoever has something in flight."""


async def run_until_stopped(body: Callable[[Stop], Awaitable[None]]) -> int:
    """Runs `body`, which ends soon after `stop.asked` is set. Answers the exit code: 0, or the second signal's."""
    stop = Stop()
    cut_by: list[int] = []
    ending: set[asyncio.Task[None]] = set()
    running = asyncio.ensure_future(body(stop))

    async def end_at_once() -> None:
        try:
            if stop.cut_off is not None:
                await stop.cut_off()
        finally:
            running.cancel()

    def on_signal(number: int) -> None:
        if not stop.asked.is_set():
            stop.asked.set()
        elif not cut_by:
            cut_by.append(number)
            ending.add(asyncio.ensure_future(end_at_once()))

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        await running
    except asyncio.CancelledError:
        if not cut_by:
            raise
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
        await asyncio.gather(*ending)
    return EXIT_OF_SIGNAL + cut_by[0] if cut_by else 0
