"""How the fields of Stripe's objects are read. Pure.

A field of another shape than its type promises refuses nothing by itself: it is read as absent, and the object
remembers the fault under the field's name here. Whoever acts on a field says so with `check` or `require`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from billing_service.domain.ledger.amounts import MONEY_MINOR_MAX
from billing_service.domain.times import US_PER_S

WORD_CHARACTERS_MAX: Final = 255
"""Of ids, of Stripe's own words, and of the texts that we put on objects ourselves."""
TIME_S_MAX: Final = 253_402_300_799
"""The last second of the year 9999: later moments fit no timestamp."""
ENTRIES_MAX: Final = 100
"""Balance transactions of one object. Stripe makes two or three."""
_CURRENCY_LETTERS: Final = 3


class ObjectInvalid(ValueError):  # noqa: N818 - a typed "no", like the others
    """An object of Stripe's lacks what a rule needs. The message names the field and repeats no content. Never to be
    acted on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeObject:
    """An object of Stripe's as it was when Stripe sent it. Money is a whole number of the currency's smallest unit,
    times are microseconds since 1970, statuses are Stripe's own words. Texts are empty, and other values None, where
    Stripe sent none."""

    faults: Mapping[str, str] = field(default_factory=dict)
    """Fields that held something unusable, by their names here, and what is wrong with each."""

    def check(self, *names: str) -> None:
        """Raises ObjectInvalid where one of the fields held something unusable. It may be absent."""
        for name in names:
            if name in self.faults:
                raise ObjectInvalid(self.faults[name])

    def require(self, *names: str) -> None:
        """The same, and where one is absent."""
        self.check(*names)
        for name in names:
            if getattr(self, name) in (None, ""):
                raise ObjectInvalid(f"{type(self).__name__}.{name} is missing")


class Fields:
    """Reads one object of the kind `kind` (Stripe's name, such as `charge`), and collects its faults."""

    __slots__ = ("_kind", "_values", "faults")

    def __init__(self, values: Mapping[str, Any], kind: str) -> None:
        """Raises ObjectInvalid for an object of another kind."""
        if values.get("object") != kind:
            raise ObjectInvalid(f"object is not {kind!r}")
        self._values = values
        self._kind = kind
        self.faults: dict[str, str] = {}

    def word(self, name: str, sent_as: str | None = None) -> str:
        """An id, or one of Stripe's own words. Customers may choose the ids of some objects, so any printable text is
        one."""
        value = self._values.get(sent_as or name)
        return "" if value is None else self._word(name, sent_as or name, value)

    def reference(self, name: str, sent_as: str) -> str | None:
        """The id of another object, which Stripe sends alone or, when expanded, inside it."""
        value = self._values.get(sent_as)
        if isinstance(value, Mapping):
            return self._word(name, f"{sent_as}.id", value.get("id")) or None
        return None if value is None else self._word(name, sent_as, value) or None

    def amount(self, name: str, sent_as: str) -> int | None:
        return self._amount(name, sent_as, self._values.get(sent_as))

    def part_amount(self, name: str, table: str, sent_as: str) -> int:
        """An amount inside a nested table; 0 where Stripe leaves it out."""
        values = self._values.get(table)
        if values is None:
            return 0
        if not isinstance(values, Mapping):
            self._fault(name, table, "is not an object")
            return 0
        return self._amount(name, f"{table}.{sent_as}", values.get(sent_as)) or 0

    def currency(self) -> str | None:
        value = self._values.get("currency")
        if value is None:
            return None
        letters = (
            isinstance(value, str)
            and len(value) == _CURRENCY_LETTERS
            and value.isascii()
            and value.isalpha()
            and value.islower()
        )
        if not letters:
            self._fault("currency", "currency", "is not a lower-case currency code")
            return None
        return str(value)

    def livemode(self) -> bool | None:
        """None where absent: objects of some old versions have none."""
        value = self._values.get("livemode")
        if value is None or isinstance(value, bool):
            return value
        self._fault("livemode", "livemode", "is neither true nor false")
        return None

    def time_us(self, name: str, sent_as: str) -> int | None:
        value = self._values.get(sent_as)
        if value is None:
            return None
        moment_us = time_us(value)
        if moment_us is None:
            self._fault(name, sent_as, "is no time")
        return moment_us

    def part_time_us(self, name: str, table: str, sent_as: str) -> int | None:
        """A moment inside a nested table; None where Stripe leaves it out."""
        values = self._values.get(table)
        value = values.get(sent_as) if isinstance(values, Mapping) else None
        moment_us = None if value is None else time_us(value)
        if value is not None and moment_us is None:
            self._fault(name, f"{table}.{sent_as}", "is no time")
        return moment_us

    def balance_entries(self, name: str, sent_as: str) -> dict[str, int] | None:
        """Amounts of balance transactions by their ids, signed; None where there is no list."""
        values = self._values.get(sent_as)
        if values is None:
            return None
        entries: dict[str, int] = {}
        for value in values if isinstance(values, list) else [None]:
            entry_id, amount = (value.get("id"), value.get("amount")) if isinstance(value, Mapping) else (None, None)
            if not _is_word(entry_id) or type(amount) is not int or abs(amount) > MONEY_MINOR_MAX:
                self._fault(name, sent_as, "is no list of balance transactions")
                return None
            entries[str(entry_id)] = amount
        if len(entries) > ENTRIES_MAX:
            self._fault(name, sent_as, f"has more than {ENTRIES_MAX} balance transactions")
            return None
        return entries

    def is_there(self, name: str) -> bool:
        """Whether Stripe sent something else than nothing."""
        return self._values.get(name) is not None

    def is_true(self, name: str) -> bool:
        return self._values.get(name) is True

    def plain(self, name: str) -> str:
        """Words of a person, or an address: nothing rests on them. Empty where there are none."""
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def own_text(self, name: str) -> str | None:
        """A top-level text that we may have put there ourselves; None where absent or of a shape that we never
        write."""
        return own_text(self._values.get(name))

    def metadata_text(self, name: str) -> str | None:
        """The same, in the metadata. Metadata belongs to whoever made the object, so no content of it is a fault."""
        metadata = self._values.get("metadata")
        return own_text(metadata.get(name)) if isinstance(metadata, Mapping) else None

    def _word(self, name: str, sent_as: str, value: object) -> str:
        if _is_word(value):
            return str(value)
        self._fault(name, sent_as, "is not an id or a word")
        return ""

    def _amount(self, name: str, sent_as: str, value: object) -> int | None:
        if value is None:
            return None
        if type(value) is not int or not 0 <= value <= MONEY_MINOR_MAX:
            self._fault(name, sent_as, f"is not a whole number from 0 to {MONEY_MINOR_MAX}")
            return None
        return value

    def _fault(self, name: str, sent_as: str, what: str) -> None:
        self.faults[name] = f"{self._kind}.{sent_as} {what}"


def own_text(value: object) -> str | None:
    """A text that we may have written at Stripe ourselves; None for anything else."""
    return str(value) if _is_word(value) else None


def time_us(seconds: object) -> int | None:
    """A moment of Stripe's, which it gives in whole seconds since 1970; None for anything else."""
    return seconds * US_PER_S if type(seconds) is int and 0 <= seconds <= TIME_S_MAX else None


def _is_word(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= WORD_CHARACTERS_MAX and value.isprintable()
