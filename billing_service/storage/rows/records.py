"""Rows that mirror a record of the domain: inserted, read and replaced whole."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Table, and_, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from billing_service.storage.rows.ledger import expect
from billing_service.storage.statements import Statement, Work, reading, writing

R = TypeVar("R")


class RecordTable(Generic[R]):
    """One table of records whose columns are the record's fields, in order."""

    def __init__(
        self,
        table: Table,
        record: Callable[..., R],
        keys: Sequence[str],
        conversions: dict[str, Callable[[Any], Any]],
        columns: dict[str, Callable[[Any], Any]] | None = None,
    ) -> None:
        """`conversions` make a field of a column; `columns` make a column of a field that is no plain value."""
        self.table = table
        self._record = record
        self._names = [column.name for column in table.columns]
        fields = [field.name for field in dataclasses.fields(record)]  # type: ignore[arg-type]
        assert fields == self._names, (table.name, fields, self._names)
        self._conversions = [(self._names.index(name), convert) for name, convert in conversions.items()]
        self._columns = columns or {}
        self._insert = writing(f"insert {table.name}", insert(table).values(_binds(table, self._names)), *self._names)
        which = [f"which_{key}" for key in keys]
        others = [name for name in self._names if name not in keys]
        matches = and_(*(table.c[key] == bindparam(f"which_{key}") for key in keys))
        self._replace = writing(
            f"replace {table.name}", update(table).where(matches).values(_binds(table, others)), *which, *others
        )
        self._keys = [self._names.index(key) for key in keys]
        self._others = [self._names.index(name) for name in others]

    def selecting(self, name: str, condition: ColumnElement[bool], *columns: str) -> Statement:
        """A statement that reads whole records, in order of their keys."""
        order = [self.table.columns[self._names[i]] for i in self._keys]
        return reading(name, select(self.table).where(condition).order_by(*order), *columns)

    def record(self, row: Sequence[Any]) -> R:
        values = list(row)
        for position, convert in self._conversions:
            values[position] = convert(values[position])
        return self._record(*values)

    def add(self, record: R) -> Work[None]:
        expect((yield self._insert(*self._values(record))), 1, f"insert {self.table.name}")

    def replace(self, record: R) -> Work[None]:
        """Writes every field of a record that was read under its account's lock."""
        values = self._values(record)
        changed = yield self._replace(*(values[i] for i in (*self._keys, *self._others)))
        expect(changed, 1, f"replace {self.table.name}")

    def _values(self, record: R) -> list[Any]:
        return [self._columns.get(name, _plain)(getattr(record, name)) for name in self._names]


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return str(value) if isinstance(value, str) else value


def _binds(table: Table, names: Sequence[str]) -> dict[str, Any]:
    return {name: bindparam(name, type_=table.c[name].type) for name in names}
