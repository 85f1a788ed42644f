"""How far long work has come: counts that were measured, and no guess."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

Progress = Callable[[str, int, int | None], None]
"""Gets what is counted, how many are done, and how many there are: None where they were not counted."""

PIECE_BYTES: Final = 1 << 20


def unheard(what: str, done: int, total: int | None) -> None:
    """For work that nobody watches."""


def copy_bytes(source: Path, target: Path, progress: Progress) -> None:
    """Copies a file's content into a file that is there."""
    with source.open("rb") as read, target.open("r+b") as written:
        _pass_on(read, source.stat().st_size, "bytes copied", written.write, progress)


def read_bytes(source: Path, take: Callable[[bytes], object], progress: Progress) -> None:
    """Hands a file's content to `take`, piece by piece."""
    with source.open("rb") as read:
        _pass_on(read, source.stat().st_size, "bytes checked", take, progress)


def _pass_on(read: BinaryIO, total: int, what: str, take: Callable[[bytes], object], progress: Progress) -> None:
    done = 0
    while piece := read.read(PIECE_BYTES):
        take(piece)
        done += len(piece)
        progress(what, done, total)
