"""How bulk writes reach SQLite: as a statement repeated for each row, or as one over many rows.

In the service, a repeated statement took a third less than one over as many rows: 13 us a deduction instead of 19, in
turns in one process. But Python's sqlite3 releases and re-acquires the GIL at each step. For a thread that competes
with a busy event loop that costs more than the row. So the event loop's own writes are repeated, and a thread's are
spread over rows.
"""

import re
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson

from billing_service.storage.statements import (
    Call,
    Compiled,
    ConditionalWrite,
    Kind,
    Statement,
    Together,
    UnlockedRead,
    Work,
    compile_statement,
    sqlite_dialect,
)
from billing_service.storage.store import BEGIN_AND_COMMIT, StoreCounters

T = TypeVar("T")

ROWS_MAX = 128
"""Rows in one statement: 13 columns each stay far below the 32,766 parameters that SQLite takes."""
CACHED_STATEMENTS = 256
"""Prepared statements kept by a connection: eight bulk writes over 1, 2, 4 … 128 rows, and all others."""

_UPDATE = re.compile(r"UPDATE (?P<table>\w+) SET (?P<changes>.*?) WHERE (?P<keys>.*)", re.DOTALL)
_PLACEHOLDER = re.compile(r"\?")


class Spread(NamedTuple):
    """One step of a statement over many rows: its text and all their values."""

    text: str
    values: list[Any]


class Repeated(NamedTuple):
    """A statement of one row, and the values of its placeholders for each row."""

    text: str
    rows: Sequence[Sequence[Any]]


class SqliteStatements:
    """Statements spread over rows once, for all connections of a store."""

    def __init__(self) -> None:
        self._dialect = sqlite_dialect()
        self._spread: dict[tuple[Statement, int], str] = {}

    def execute(self, raw: sqlite3.Connection, call: Call) -> Any:
        """Rows of a reading statement; how many rows a writing one changed."""
        statement, values = call
        if statement.bulk:
            return self._write(raw, call)
        compiled = self._compile(statement)
        if compiled.lists:
            values = tuple(_as_json(value) if i in compiled.lists else value for i, value in enumerate(values))
        cursor = raw.execute(compiled.sql, compiled.arguments(values))
        return cursor.fetchall() if statement.kind is Kind.ROWS else cursor.rowcount

    def _write(self, raw: sqlite3.Connection, call: Call) -> int:
        return sum(raw.execute(text, values).rowcount for text, values in self.spread(call))

    def spread(self, call: Call) -> list[Spread]:
        """A bulk write as few steps, over powers of two so that each text is prepared once."""
        statement, rows = call
        steps, start = [], 0
        while left := len(rows) - start:
            count = min(ROWS_MAX, 1 << (left.bit_length() - 1))
            text = self._spread.get((statement, count)) or self._spread_over(statement, count)
            steps.append(Spread(text, [value for row in rows[start : start + count] for value in row]))
            start += count
        return steps

    def repeated(self, call: Call) -> Repeated:
        """A bulk write row by row."""
        statement, rows = call
        compiled = self._compile(statement)
        if compiled.order == tuple(range(len(statement.columns))):
            return Repeated(compiled.sql, rows)
        return Repeated(compiled.sql, compiled.rows(rows))

    def _spread_over(self, statement: Statement, count: int) -> str:
        text = self._spread[statement, count] = spread_over_rows(
            self._compile(statement), len(statement.columns), count
        )
        return text

    def _compile(self, statement: Statement) -> Compiled:
        return compile_statement(statement, self._dialect)


def drive(
    unit: Work[T],
    wanted: Call | Together | UnlockedRead | ConditionalWrite | None,
    execute: Callable[[Call], Any],
    counters: StoreCounters,
) -> T:
    """Runs the statements of a unit of work inside an open transaction, from `wanted` on or, without it, from its
    start. Answers the unit's result."""
    counters.statements += BEGIN_AND_COMMIT
    try:
        wanted = next(unit) if wanted is None else wanted
        while True:
            assert not isinstance(wanted, ConditionalWrite | UnlockedRead), "a conditional write does nothing else"
            if isinstance(wanted, Together):
                counters.statements += len(wanted.calls)
                wanted = unit.send([execute(call) for call in wanted.calls])
            else:
                counters.statements += 1
                wanted = unit.send(execute(wanted))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        unit.close()


def spread_over_rows(compiled: Compiled, columns: int, count: int) -> str:
    """The text of a write of one row, for `count` rows whose values follow each other in the order of the statement's
    columns."""
    row = f"({', '.join('?' * columns)})"
    rows = ", ".join([row] * count)
    head, is_insert, _ = compiled.sql.partition(" VALUES ")
    if is_insert:
        assert compiled.order == tuple(range(columns)), "a bulk insert takes its columns in order"
        return f"{head} VALUES {rows}"
    update = _UPDATE.fullmatch(compiled.sql)
    assert update is not None, compiled.sql
    given = iter(compiled.order)
    changes, keys = (
        _PLACEHOLDER.sub(lambda _: f"given.column{next(given) + 1}", update[part]) for part in ("changes", "keys")
    )
    # S608: every part comes from the compiler, none from a caller.
    return f"UPDATE {update['table']} SET {changes} FROM (VALUES {rows}) AS given WHERE {keys}"  # noqa: S608


def _as_json(values: Any) -> str:
    return orjson.dumps(list(values)).decode()
