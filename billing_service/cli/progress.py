"""How far a command has come, on standard error: a bar that moves on a terminal, a line now and then in a pipe or a
log."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from billing_service.integrity.progress import Progress

LINE_EVERY_S: Final = 10.0
"""In a pipe or a log; a command that is done before says nothing of its way."""


def counted(what: str, done: int, total: int | None) -> str:
    """Counts as they were measured: `12,000 of 100,201 transactions followed`. What nobody can count is only named."""
    if total is not None:
        return f"{done:,} of {total:,} {what}"
    return f"{done:,} {what}" if done else f"{what} …"


@contextmanager
def shown_progress(name: str) -> Iterator[Progress]:
    """Shows the progress of a command until the block ends; nothing of a bar is left behind."""
    if not sys.stderr.isatty():
        yield Lines(name, lambda line: sys.stderr.write(f"{line}\n"))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bar(name, bars)


class Lines:
    """A line every ten seconds."""

    def __init__(self, name: str, write: Callable[[str], object], now_s: Callable[[], float] = monotonic) -> None:
        self._name = name
        self._write = write
        self._now_s = now_s
        self._begun_s = self._said_s = now_s()

    def __call__(self, what: str, done: int, total: int | None) -> None:
        now_s = self._now_s()
        if now_s - self._said_s >= LINE_EVERY_S:
            self._said_s = now_s
            self._write(f"{self._name}: {counted(what, done, total)}, {now_s - self._begun_s:.0f} s")


class _Bar:
    """One bar, for the step that is under way."""

    def __init__(self, name: str, bars: Bars) -> None:
        self._name = name
        self._bars = bars
        self._task: TaskID = bars.add_task(name, total=None)
        self._what = ""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        is_new = what != self._what
        if is_new:
            self._what = what
            self._bars.remove_task(self._task)
            self._task = self._bars.add_task(self._name, total=total)
        shown = f"{self._name}: {counted(what, done, total)}"
        self._bars.update(self._task, description=shown, completed=done, total=total, refresh=is_new)
