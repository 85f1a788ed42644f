"""What every list command shares: how many rows are shown, as what, and a last line when there are more."""

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Final, TypeVar

import typer
from google.protobuf.message import Message

from billing_service.cli.display import EXIT_MISCONFIGURED, fail, json_text, say, show_lines, width
from billing_service.cli.layout import Column, table_lines

M = TypeVar("M", bound=Message)

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 100_000
PAGE_SIZE_MAX: Final = 1_000
"""The most rows that the service gives at once."""

Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        max=LIMIT_MAX,
        metavar="N",
        help=f"Most rows to show; {LIMIT_DEFAULT} when absent.",
        show_default=False,
    ),
]
All = Annotated[bool, typer.Option("--all", help="Every row, however many there are.")]


class Extent:
    """How many rows of a list are shown."""

    def __init__(self, limit: int | None, everything: bool) -> None:
        """Ends the command when both are given."""
        if limit is not None and everything:
            fail("give --limit or --all, one of the two", code=EXIT_MISCONFIGURED)
        self.limit = None if everything else limit or LIMIT_DEFAULT

    @property
    def page_size(self) -> int:
        """Rows to ask the service for at once: one more than is shown reveals whether there are more."""
        return PAGE_SIZE_MAX if self.limit is None else min(self.limit + 1, PAGE_SIZE_MAX)


class ListTable:
    """A kind of table: its columns, and the command's name for its rows."""

    made: Final[list["ListTable"]] = []
    """All of them, so that a test can look at each."""

    def __init__(self, *columns: Column) -> None:
        self.columns = columns
        self.made.append(self)

    def show(self, title: str, rows: Sequence[Sequence[object]]) -> None:
        """`none` in place of a table without rows."""
        if rows:
            show_lines(title, table_lines(self.columns, rows, width()), headings=1)
        else:
            say(f"{title}: none")


def show_list(
    title: str,
    table: ListTable,
    found: Iterator[M],
    cells: Callable[[M], Sequence[object]],
    *,
    extent: Extent,
    as_json: bool,
) -> None:
    """Shows rows as a table, or as a JSON list that is written while it is read. Says on standard error when more
    exist."""
    shown = islice(found, extent.limit)
    count = _show_json(shown) if as_json else _show_table(title, table, shown, cells)
    if extent.limit is not None and next(found, None) is not None:
        sys.stderr.write(f"{count:,} shown; more exist: --limit N or --all\n")


def _show_table(title: str, table: ListTable, found: Iterator[M], cells: Callable[[M], Sequence[object]]) -> int:
    rows = [cells(message) for message in found]
    table.show(title, rows)
    return len(rows)


def _show_json(found: Iterator[Message]) -> int:
    count = 0
    for message in found:
        sys.stdout.write(f"{',' if count else '['}\n{json_text(message)}")
        count += 1
    sys.stdout.write("\n]\n" if count else "[]\n")
    return count
