"""Sums over the parts of a re-rating. What accounts come to is kept in files until it is asked for: memory stays small
however many accounts there are."""

import heapq
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import Final, NamedTuple, Self

import orjson
from prepaid.billing.v1.reasons_pb2 import Reason
from prepaid.billing.v1.rerating_pb2 import ReRatedTotals, ReRateResponse

ACCOUNTS_MAX: Final = 1_000
"""Accounts with a line of their own."""
FILES: Final = 64
"""Each has the accounts of a part of all ids, and is added up by itself: 500 bytes an account."""
FIELDS: Final = tuple(field.name for field in ReRatedTotals.DESCRIPTOR.fields)


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
        self.uncorrected: dict[str, str] = {}
        """By account that could not be corrected, the reason."""
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._files = [self._open.enter_context(TemporaryFile()) for _ in range(FILES)]  # noqa: SIM115 - the stack closes them
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

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
        for refused in part.uncorrected:
            self.uncorrected[refused.account_id] = Reason.Name(refused.refusal).removeprefix("REASON_").lower()
        for account in part.accounts:
            line = orjson.dumps([account.account_id, _amounts(account.totals).values])
            self._files[zlib.crc32(account.account_id.encode()) % FILES].write(line + b"\n")

    def accounts(self, many: int) -> tuple[list[tuple[str, Amounts]], Others]:
        """The accounts with the largest differences, up or down, and all others together."""
        count = 0

        def counted() -> Iterator[tuple[str, Amounts]]:
            nonlocal count
            for each in self._by_account():
                count += 1
                yield each

        largest = heapq.nsmallest(many, counted(), key=lambda each: (-abs(each[1].of(_DIFFERENCE)), each[0]))
        others = self.total
        for _, amounts in largest:
            others = others.minus(amounts)
        return largest, Others(count - len(largest), others)

    def _by_account(self) -> Iterator[tuple[str, Amounts]]:
        for file in self._files:
            sums: dict[str, Amounts] = {}
            file.seek(0)
            for line in file:
                account_id, values = orjson.loads(line)
                sums[account_id] = sums.get(account_id, Amounts()).plus(Amounts(tuple(values)))
            yield from sums.items()


_DIFFERENCE: Final = "difference_microcredits"


def _amounts(totals: ReRatedTotals) -> Amounts:
    return Amounts(tuple(getattr(totals, name) for name in FIELDS))
