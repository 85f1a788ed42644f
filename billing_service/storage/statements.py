"""Statements written once in SQLAlchemy Core and compiled once for each store.

A unit of work yields `Call`s and is sent rows; it never sees a driver. Set-wise forms differ only here: SQLite binds a
list as JSON and takes rows one by one or spread (`sqlite_statements`), PostgreSQL takes arrays.
"""

import re
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Table,
    and_,
    bindparam,
    column,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter, ClauseElement
from sqlalchemy.types import Text, TypeEngine

LIST_PREFIX = "list_"
"""A parameter whose name begins so takes a list of text."""

Row = tuple[Any, ...]
Rows = list[Row]
T = TypeVar("T")


class Kind(Enum):
    """What a statement answers with."""

    ROWS = "rows"
    COUNT = "count"


class Statement:
    """One statement, named for logs and tests. `columns` are its parameters in the order in which calls give them."""

    __slots__ = ("bulk", "columns", "element", "kind", "name", "searches", "sqlite_element")

    def __init__(
        self, name: str, element: ClauseElement, columns: Sequence[str], kind: Kind, *, bulk: bool = False
    ) -> None:
        self.name = name
        self.element = element
        self.columns = tuple(columns)
        self.kind = kind
        self.bulk = bulk
        self.sqlite_element: ClauseElement | None = None
        self.searches = False
        """It may read all of a table: it is planned for that, and takes the time that it takes."""

    def __call__(self, *values: Any) -> "Call":
        assert len(values) == len(self.columns), self.name
        return Call(self, values)

    def many(self, rows: Iterable[Row]) -> "Call":
        """One call for any number of rows."""
        assert self.bulk, self.name
        return Call(self, tuple(rows))


class Call(NamedTuple):
    """A statement with its values: what a unit of work yields."""

    statement: Statement
    values: tuple[Any, ...]


class Together(NamedTuple):
    """Writes of different rows that may run in any order; answered with the count of each. One round trip where the
    store can."""

    calls: tuple[Call, ...]


class UnlockedRead(NamedTuple):
    """A read before a conditional write, outside of any transaction: it locks nothing, and holds what was committed
    when it began."""

    call: Call


class ConditionalWrite(NamedTuple):
    """All that a unit of work writes, in one step: writes that must change exactly as many rows as they are given.
    Where one does not, or meets a constraint or somebody's lock, nothing is written and the unit runs again
    (`StaleError`). It waits for nobody, so what was decided is as old as the step; a store may run it as one statement
    that is a transaction by itself. Only unlocked reads come before it, and nothing follows it."""

    calls: tuple[Call, ...]
    locks: Call
    """Locks the rows that `calls` depend on, each with the values expected of it. If fewer rows match than were given,
    nothing is written."""


Work = Generator[Call | Together | UnlockedRead | ConditionalWrite, Any, T]
"""A unit of work: everything that happens in one transaction, with nothing but the database in between."""


def ended(unit: Work[T]) -> T:
    """What a unit of work answers whose last step is done."""
    try:
        unit.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("a conditional write is the last of its unit")


class InList(ColumnElement[bool]):
    """`column IN (a list of text bound as one parameter)`."""

    inherit_cache = False

    def __init__(self, element: ColumnElement[str], name: str) -> None:
        assert name.startswith(LIST_PREFIX)
        self.element = element
        self.as_json = bindparam(name, type_=Text)
        self.as_array = bindparam(name, type_=ARRAY(Text))


@compiles(InList, "sqlite")
def _in_list_sqlite(element: InList, compiler: SQLCompiler, **kw: Any) -> str:
    column, listed = compiler.process(element.element, **kw), compiler.process(element.as_json, **kw)
    return f"{column} IN (SELECT value FROM json_each({listed}))"  # noqa: S608 - from the compiler, none from a caller


@compiles(InList, "postgresql")
def _in_list_postgresql(element: InList, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{compiler.process(element.element, **kw)} = ANY ({compiler.process(element.as_array, **kw)})"


def reading(name: str, element: ClauseElement, *columns: str, sqlite_element: ClauseElement | None = None) -> Statement:
    """A statement that answers with rows. `sqlite_element` is it for SQLite, where its form is another one."""
    statement = Statement(name, element, columns, Kind.ROWS)
    statement.sqlite_element = sqlite_element
    return statement


def searching(name: str, element: ClauseElement, *columns: str) -> Statement:
    """A statement that answers with rows and finds them by no key. No call waits for one."""
    statement = reading(name, element, *columns)
    statement.searches = True
    return statement


def writing(name: str, element: ClauseElement, *columns: str) -> Statement:
    """A statement that answers with the number of rows that it changed."""
    return Statement(name, element, columns, Kind.COUNT)


def bulk_insert(table: Table) -> Statement:
    """Inserts any number of rows, given in the table's column order."""
    names = [c.name for c in table.columns]
    given = given_rows(names, [c.type for c in table.columns])
    statement = Statement(
        f"insert {table.name}", insert(table).from_select(names, select(given)), names, Kind.COUNT, bulk=True
    )
    statement.sqlite_element = insert(table).values({c.name: bindparam(c.name, type_=c.type) for c in table.columns})
    return statement


def bulk_update(
    table: Table, keys: Sequence[str], changes: Sequence[str], *, expected: Sequence[str] = ()
) -> Statement:
    """Updates any number of rows. Each is given as its key columns, then the values expected of other columns, then its
    changed columns. A row without the expected values is left alone."""
    names = [*(f"old_{name}" for name in (*keys, *expected)), *(f"new_{name}" for name in changes)]
    types = [table.c[name].type for name in (*keys, *expected, *changes)]
    given = given_rows(names, types)
    matching = update(table).values({name: given.c[f"new_{name}"] for name in changes})
    one = update(table).values({name: bindparam(f"new_{name}", type_=table.c[name].type) for name in changes})
    for name in (*keys, *expected):
        matching = matching.where(table.c[name] == given.c[f"old_{name}"])
        one = one.where(table.c[name] == bindparam(f"old_{name}", type_=table.c[name].type))
    statement = Statement(f"update {table.name}", matching, names, Kind.COUNT, bulk=True)
    statement.sqlite_element = one
    return statement


def bulk_lock(table: Table, keys: Sequence[str], expected: Sequence[str]) -> Statement:
    """Locks rows that still have the values expected of them. For stores that lock rows. It fails rather than wait: a
    decision made before a wait, its time included, may be wrong after it. So no order is needed either."""
    names = [f"old_{name}" for name in (*keys, *expected)]
    given = given_rows(names, [table.c[name].type for name in (*keys, *expected)])
    found: Any = select(literal_column("1")).select_from(
        table.join(given, and_(*(table.c[name] == given.c[f"old_{name}"] for name in keys)))
    )
    for name in expected:
        found = found.where(table.c[name] == given.c[f"old_{name}"])
    return Statement(f"lock {table.name}", found.with_for_update(of=table, nowait=True), names, Kind.ROWS, bulk=True)


def given_rows(names: Sequence[str], types: Sequence[TypeEngine[Any]]) -> Any:
    """Rows given as one array for each column."""
    arrays: list[BindParameter[Any]] = [
        bindparam(name, type_=ARRAY(kind)) for name, kind in zip(names, types, strict=True)
    ]
    columns = (column(name, kind) for name, kind in zip(names, types, strict=True))
    return func.unnest(*arrays).table_valued(*columns, name="given").render_derived()


@dataclass(slots=True, frozen=True)
class Compiled:
    """A statement's text for one store, and where each value goes."""

    sql: str
    order: tuple[int, ...]
    """For each placeholder, which of the statement's columns it takes."""
    lists: frozenset[int]
    """Columns that are lists of text."""
    constants: tuple[Any, ...]
    """Values that the text itself binds, after the columns in the numbering of `order`."""

    def arguments(self, values: Sequence[Any]) -> list[Any]:
        """The values of one call, placeholder by placeholder."""
        if self.constants:
            values = (*values, *self.constants)
        return [values[i] for i in self.order]


def sqlite_dialect() -> DefaultDialect:
    return sqlite.dialect(paramstyle="qmark")


def postgresql_dialect() -> DefaultDialect:
    return postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]


def compile_statement(statement: Statement, dialect: DefaultDialect) -> Compiled:
    """The statement's text for a store. Every name in it must be one of the statement's columns."""
    element = statement.element
    if dialect.name == "sqlite" and statement.sqlite_element is not None:
        element = statement.sqlite_element
    compiled = element.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    names = list(compiled.positiontup or ())
    constants = {name: compiled.params[name] for name in names if name not in statement.columns}
    assert None not in constants.values(), (statement.name, names, statement.columns)
    numbered = (*statement.columns, *constants)
    lists = frozenset(position for position, name in enumerate(statement.columns) if name.startswith(LIST_PREFIX))
    return Compiled(compiled.string, tuple(numbered.index(name) for name in names), lists, tuple(constants.values()))


_PLACEHOLDER = re.compile(r"\$(\d+)")


def join_writes(texts: Sequence[str]) -> str:
    """Several of PostgreSQL's writes as one statement that answers with one row: how many rows each of them changed."""
    shifted, _ = _numbered_on(texts, 0)
    parts = [f"w{number} AS ({text} RETURNING 1)" for number, text in enumerate(shifted)]
    counts = [f"(SELECT count(*) FROM w{number})" for number in range(len(texts))]  # noqa: S608 - numbers of our own
    return f"WITH {', '.join(parts)} SELECT {', '.join(counts)}"


def join_conditional(locks: str, texts: Sequence[str]) -> str:
    """Writes as one statement that is whole or fails with `division_by_zero`. All locks are taken first. Each write
    happens only if every row had the values expected of it. Each count is compared with the one given after all other
    parameters."""
    (locks, *shifted), taken = _numbered_on((locks, *texts), 0)
    wanted = [f"${taken + 1 + number}::bigint" for number in range(len(texts) + 1)]
    all_locked = f"(SELECT count(*) FROM locks) = {wanted[0]}"  # noqa: S608 - as below
    parts = [f"locks AS MATERIALIZED ({locks})"]
    for number, text in enumerate(shifted):
        parts.append(f"w{number} AS ({text} {'AND' if ' WHERE ' in text else 'WHERE'} {all_locked} RETURNING 1)")
    # S608: numbers of our own.
    right = [all_locked, *(f"(SELECT count(*) FROM w{number}) = {wanted[number + 1]}" for number in range(len(texts)))]  # noqa: S608
    return f"WITH {', '.join(parts)} SELECT 1 / CASE WHEN {' AND '.join(right)} THEN 1 ELSE 0 END"


def _numbered_on(texts: Sequence[str], taken: int) -> tuple[list[str], int]:
    """The texts with their parameters numbered one after the other, and how many there are."""
    shifted = []
    for text in texts:
        shifted.append(_shifted(text, taken))
        taken += max(int(found) for found in _PLACEHOLDER.findall(text))
    return shifted, taken


def _shifted(text: str, by: int) -> str:
    return _PLACEHOLDER.sub(lambda match: f"${int(match[1]) + by}", text)
