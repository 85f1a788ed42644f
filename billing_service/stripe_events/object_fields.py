"""Typed reading of the object inside an event, one field at a time, so that only what a rule needs can be wrong.

A wrong shape is FactInvalid, which names the field and repeats no content.
"""

from collections.abc import Mapping
from typing import Any, Final

from billing_service.domain.ledger.amounts import MONEY_MINOR_MAX

ID_CHARACTERS_MAX: Final = 255
"""Of ids, of Stripe's own words, and of the texts that we put on objects ourselves."""

_CURRENCY_LETTERS: Final = 3


class FactInvalid(ValueError):  # noqa: N818 - a typed "no", like the others
    """The event is Stripe's, but a field that a rule needs is not what its type promises. To be kept and alarmed, never acted on."""


class ObjectFields:
    """Reads one object of the kind `kind` (Stripe's name, such as `charge`)."""

    __slots__ = ("_values", "_where")

    def __init__(self, values: Mapping[str, Any], kind: str) -> None:
        if values.get("object") != kind:
            raise FactInvalid(f"object is not {kind!r}")
        self._values = values
        self._where = kind

    def word(self, name: str) -> str:
        """An id, or one of Stripe's own words. Customers may choose the ids of some objects, so any printable text is one."""
        value = self.optional_word(name)
        if value is None:
            raise FactInvalid(f"{self._where}.{name} is missing")
        return value

    def optional_word(self, name: str) -> str | None:
        return self._word(name, self._values.get(name))

    def reference(self, name: str) -> str | None:
        """The id of another object, which Stripe sends alone or, when expanded, inside it."""
        value = self._values.get(name)
        if not isinstance(value, dict):
            return self._word(name, value)
        found = self._word(f"{name}.id", value.get("id"))
        if found is None:
            raise FactInvalid(f"{self._where}.{name}.id is missing")
        return found

    def amount(self, name: str) -> int:
        value = self.optional_amount(name)
        if value is None:
            raise FactInvalid(f"{self._where}.{name} is missing")
        return value

    def optional_amount(self, name: str) -> int | None:
        return self._amount(name, self._values.get(name))

    def part_amount(self, table: str, name: str) -> int:
        """An amount inside a nested table; 0 where Stripe leaves it out."""
        values = self._values.get(table)
        if values is None:
            return 0
        if not isinstance(values, dict):
            raise FactInvalid(f"{self._where}.{table} is not an object")
        return self._amount(f"{table}.{name}", values.get(name)) or 0

    def currency(self, name: str = "currency") -> str:
        value = self.optional_currency(name)
        if value is None:
            raise FactInvalid(f"{self._where}.{name} is missing")
        return value

    def optional_currency(self, name: str = "currency") -> str | None:
        value = self._values.get(name)
        if value is None:
            return None
        letters = isinstance(value, str) and len(value) == _CURRENCY_LETTERS and value.isascii() and value.isalpha() and value.islower()
        if not letters:
            raise FactInvalid(f"{self._where}.{name} is not a lower-case currency code")
        return str(value)

    def flag(self, name: str) -> bool | None:
        """None where absent."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, bool):
            raise FactInvalid(f"{self._where}.{name} is neither true nor false")
        return value

    def is_true(self, name: str) -> bool:
        return self._values.get(name) is True

    def is_word(self, name: str, word: str) -> bool:
        return bool(self._values.get(name) == word)

    def plain(self, name: str) -> str:
        """Words of a person: nothing rests on them. Empty where there are none."""
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def own_text(self, name: str) -> str | None:
        """A top-level text that we may have put there ourselves; None where absent or of a shape that we never write."""
        return own_text(self._values.get(name))

    def metadata_text(self, name: str) -> str | None:
        """The same, in the metadata. Metadata belongs to whoever made the object, so no content of it is invalid."""
        metadata = self._values.get("metadata")
        return own_text(metadata.get(name)) if isinstance(metadata, dict) else None

    def _word(self, name: str, value: object) -> str | None:
        if value is None:
            return None
        if not _is_word(value):
            raise FactInvalid(f"{self._where}.{name} is not an id or a word")
        return str(value)

    def _amount(self, name: str, value: object) -> int | None:
        if value is None:
            return None
        if type(value) is not int or not 0 <= value <= MONEY_MINOR_MAX:
            raise FactInvalid(f"{self._where}.{name} is not a whole number from 0 to {MONEY_MINOR_MAX}")
        return value


def own_text(value: object) -> str | None:
    """A text that we may have written at Stripe ourselves; None for anything else."""
    return str(value) if _is_word(value) else None


def _is_word(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= ID_CHARACTERS_MAX and value.isprintable()
