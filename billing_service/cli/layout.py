"""How rows and fields become lines that fit a terminal. Pure: values and a width in, lines out.

A word is never broken, and so no id is: one that is too long for its place gets a line of its own.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len

GAP: Final = "  "
INDENT: Final = "    "
"""Before what belongs to the row above it."""

_NUMBER = re.compile(r"(-?[0-9][0-9,]*)((?:\.[0-9]+)?)((?: .+)?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    is_number: bool = False
    """To the right, with its decimal points under each other."""
    gives_way: bool = False
    """Leaves the row before others where the terminal is too narrow for all, and is then shown under it by name. Last
    ones leave first."""


def printable(value: object) -> str:
    """A cell's text: control characters of it take no effect."""
    text = str(value)
    return (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    )


def table_lines(columns: Sequence[Column], rows: Iterable[Sequence[object]], width: int) -> list[str]:
    """A line of headings, then each row: one line, and under it what does not fit in."""
    texts = [[printable(value) for value in row] for row in rows]
    by_column = [
        _aligned([row[at] for row in texts]) if column.is_number else [row[at] for row in texts]
        for at, column in enumerate(columns)
    ]
    widths = [max(map(cell_len, (column.name, *cells))) for column, cells in zip(columns, by_column, strict=True)]
    kept = _columns_that_fit(columns, widths, width)
    under = [at for at in range(len(columns)) if at not in kept]

    def row_lines(cells: Sequence[str]) -> list[str]:
        line = GAP.join(_padded(cells[at], widths[at], to_the_right=columns[at].is_number) for at in kept).rstrip()
        # too long is only a column that is alone
        return [line] if cell_len(line) <= width else wrapped(line.strip(), width)

    lines = row_lines([column.name for column in columns])
    for number, row in enumerate(texts):
        lines.extend(row_lines([cells[number] for cells in by_column]))
        pairs = [f"{columns[at].name}: {row[at]}" for at in under if row[at]]
        lines.extend(INDENT + more for more in _side_by_side(pairs, width - len(INDENT)))
    return lines


def field_lines(fields: Iterable[tuple[str, object]], width: int) -> list[str]:
    """A line for each field that has a value. A value that is too long for the place after its name begins on the next
    line."""
    shown = [(name, printable(value)) for name, value in fields if value != ""]
    names = max((cell_len(name) for name, _ in shown), default=0)
    lines: list[str] = []
    for name, value in shown:
        room = width - names - len(GAP)
        if max(map(cell_len, value.split(" "))) <= room:
            first, *others = wrapped(value, room)
            lines.append(f"{_padded(name, names)}{GAP}{first}")
            lines.extend(f"{' ' * names}{GAP}{other}" for other in others)
        else:
            lines.append(name)
            lines.extend(f"{INDENT}{part}" for part in wrapped(value, width - len(INDENT)))
    return lines


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width`, broken at spaces alone: a longer word has a line to itself."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and cell_len(line) + 1 + cell_len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def _columns_that_fit(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    """Positions of those that stay in the row. Where it is not enough that some give way, the widest of the others
    leave."""
    kept = list(range(len(columns)))
    leaving = [at for at in reversed(kept) if columns[at].gives_way]
    leaving += sorted((at for at in kept if not columns[at].gives_way), key=lambda at: -widths[at])
    for at in leaving:
        if len(kept) == 1 or sum(widths[one] for one in kept) + len(GAP) * (len(kept) - 1) <= width:
            break
        kept.remove(at)
    return kept


def _side_by_side(texts: Iterable[str], width: int) -> Iterator[str]:
    """As many on a line as fit; one that is longer than a line has lines of its own."""
    line = ""
    for text in texts:
        if line and cell_len(line) + len(GAP) + cell_len(text) <= width:
            line += GAP + text
            continue
        if line:
            yield line
        *whole, line = wrapped(text, width)
        yield from whole
        if whole:
            yield line
            line = ""
    if line:
        yield line


def _aligned(texts: Sequence[str]) -> list[str]:
    """Numbers, filled after their decimals and units so that, aligned right, their points are under each other."""
    found = [_NUMBER.fullmatch(text) for text in texts]
    decimals = max((len(match[2]) for match in found if match), default=0)
    unit = max((cell_len(match[3]) for match in found if match), default=0)
    return [
        match[1] + match[2].ljust(decimals) + _padded(match[3], unit) if match else text
        for text, match in zip(texts, found, strict=True)
    ]


def _padded(text: str, width: int, *, to_the_right: bool = False) -> str:
    filling = " " * max(0, width - cell_len(text))
    return filling + text if to_the_right else text + filling
