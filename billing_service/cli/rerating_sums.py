"""Sums over the parts of a re-rating. What accounts come to is kept in a file that SQLite deletes: memory stays small
however many they are."""

import sqlite3
from typing import Final, NamedTuple, Self

from prepaid.billing.v1.rerating_pb2 import ReRatedTotals, ReRateResponse

ACCOUNTS_MAX: Final = 1_000
"""Accounts with a line of their own."""
FIELDS: Final = tuple(field.name for field in ReRatedTotals.DESCRIPTOR.fields)
_COLUMNS: Final = ", ".join(f"{name} INTEGER NOT NULL" for name in FIELDS)
_MORE: Final = ", ".join(f"{name} = {name} + excluded.{name}" for name in FIELDS)


class Amounts(NamedTuple):
    """Totals without a bound, in the order of FIELDS."""

    values: tuple[int, ...] = (0,) * len(FIELDS)

    def of(self, name: str) -> int:
        return self.values[FIELDS.index(name)]

    def plus(self, other: "Amounts") -> "Amounts":
        return Amounts(tuple(map(sum, zip(self.values, other.values, strict=True))))

    def minus(self, other: "Amounts") -> "Amounts":
        return Amounts(tuple(one - less for one, less in zip(self.values, other.values, strict=True)))


class Others(NamedTuple):
    """The accounts that have no line of their own."""

    account_count: int
    amounts: Amounts


class Sums:
    """What was added so far. To be used as a context."""

    def __init__(self) -> None:
        self.models: dict[tuple[str, str], Amounts] = {}
        self.unpriced: dict[tuple[str, str, str], tuple[int, int]] = {}
        """By provider, model and what is missing: usages, and microcredits charged for them."""
        self.total = Amounts()
        self._file = sqlite3.connect("")

    def __enter__(self) -> Self:
        self._file.execute(f"CREATE TABLE accounts (account_id TEXT PRIMARY KEY, {_COLUMNS}) STRICT, WITHOUT ROWID")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def usages(self) -> int:
        """Priced or not."""
        return self.total.of("usage_count") + sum(usages for usages, _ in self.unpriced.values())

    def add(self, part: ReRateResponse) -> None:
        for model in part.models:
            name, amounts = (model.provider, model.model), _amounts(model.totals)
            self.models[name] = self.models.get(name, Amounts()).plus(amounts)
            self.total = self.total.plus(amounts)
        for lack in part.unpriced:
            named = (lack.provider, lack.model, lack.missing)
            usages, charged = self.unpriced.get(named, (0, 0))
            self.unpriced[named] = (usages + lack.usage_count, charged + lack.charged_microcredits)
        rows = [(account.account_id, *_amounts(account.totals).values) for account in part.accounts]
        places = ", ".join("?" * (len(FIELDS) + 1))
        # S608: names of columns of our own
        statement = f"INSERT INTO accounts VALUES ({places}) ON CONFLICT (account_id) DO UPDATE SET {_MORE}"  # noqa: S608
        self._file.executemany(statement, rows)

    def accounts(self, many: int) -> tuple[list[tuple[str, Amounts]], Others]:
        """The accounts with the largest differences, up or down, and all others together."""
        found = self._file.execute(
            f"SELECT account_id, {', '.join(FIELDS)} FROM accounts "  # noqa: S608
            "ORDER BY abs(difference_microcredits) DESC, account_id LIMIT ?",
            (many,),
        )
        largest = [(row[0], Amounts(tuple(row[1:]))) for row in found]
        ((count,),) = self._file.execute("SELECT count(*) FROM accounts")
        others = self.total
        for _, amounts in largest:
            others = others.minus(amounts)
        return largest, Others(count - len(largest), others)


def _amounts(totals: ReRatedTotals) -> Amounts:
    return Amounts(tuple(getattr(totals, name) for name in FIELDS))
