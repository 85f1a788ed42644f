"""Statements written once in SQLAlchemy Core and compiled once for each kind of store.

A unit of work yields `Call`s and is sent rows; it never sees a driver. Set-wise forms differ only here: SQLite binds a
list as JSON and takes rows one by one or spread (`sqlite_statements`), PostgreSQL takes arrays.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Table,
    bindparam,
    column,
    func,
    insert,
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

    __slots__ = ("bulk", "columns", "compiled", "element", "kind", "name", "searches", "sqlite_element")

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
        self.compiled: dict[str, Compiled] = {}
        """Its texts, by the dialect's name. They depend on nothing else, so that all stores of a process share them."""

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
    """All that a unit of work writes, in one step: rows of several accounts, each row with its account first.

    The rows of an account are written if the account is still as expected and nobody has locked it. The step is
    answered with the ids of the other accounts, of which nothing is written. Where a row that is to be written changes
    nothing, or meets a constraint, nothing is written of any account, and the unit runs again (`StaleError`).

    It waits for nobody, so what was decided is as old as the step. A store may run it as one statement that is a
    transaction by itself. Only unlocked reads come before it, and nothing follows it.
    """

    calls: tuple[Call, ...]
    locks: Call
    """Locks the accounts whose rows `calls` write, each with the values expected of it."""


Work = Generator[Call | Together | UnlockedRead | ConditionalWrite, Any, T]
"""A unit of work: everything that happens in one transaction, with nothing but the database in between."""


def ended(unit: Work[T], answer: Sequence[str]) -> T:
    """What a unit of work answers whose last step, a conditional write, is done."""
    try:
        unit.send(answer)
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


def bulk_lock(table: Table, key: str, expected: Sequence[str]) -> Statement:
    """Locks rows that still have the values expected of them and answers with their keys. It passes over rows that
    somebody has locked rather than wait: a decision made before a wait, its time included, may be wrong after it. So no
    order is needed either. On SQLite, where a writer has the whole database, it only compares, row by row."""
    names = [f"old_{name}" for name in (key, *expected)]
    given = given_rows(names, [table.c[name].type for name in (key, *expected)])
    found: Any = select(table.c[key]).select_from(table.join(given, table.c[key] == given.c[f"old_{key}"]))
    one = select(table.c[key]).where(table.c[key] == bindparam(f"old_{key}", type_=table.c[key].type))
    for name in expected:
        found = found.where(table.c[name] == given.c[f"old_{name}"])
        one = one.where(table.c[name] == bindparam(f"old_{name}", type_=table.c[name].type))
    element = found.with_for_update(of=table, skip_locked=True)
    statement = Statement(f"lock {table.name}", element, names, Kind.ROWS, bulk=True)
    statement.sqlite_element = one
    return statement


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
    _ordered: Callable[[Sequence[Any]], tuple[Any, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        order = self.order
        # An itemgetter of one position answers with the bare value, and there is none of none.
        one_by_one = lambda values: tuple([values[i] for i in order])  # noqa: E731 - short
        object.__setattr__(self, "_ordered", itemgetter(*order) if len(order) > 1 else one_by_one)

    def arguments(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """The values of one call, placeholder by placeholder."""
        return self._ordered((*values, *self.constants) if self.constants else values)

    def rows(self, rows: Iterable[Row]) -> list[tuple[Any, ...]]:
        """The same of each row of a bulk write, which binds no constants."""
        assert not self.constants
        return list(map(self._ordered, rows))


@cache
def sqlite_dialect() -> DefaultDialect:
    return sqlite.dialect(paramstyle="qmark")


@cache
def postgresql_dialect() -> DefaultDialect:
    return postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]


def compile_statement(statement: Statement, dialect: DefaultDialect) -> Compiled:
    """The statement's text for a store, compiled the first time that it is asked for."""
    compiled = statement.compiled.get(dialect.name)
    if compiled is None:
        compiled = statement.compiled[dialect.name] = _compile(statement, dialect)
    return compiled


def _compile(statement: Statement, dialect: DefaultDialect) -> Compiled:
    """Every name in the text must be one of the statement's columns."""
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
