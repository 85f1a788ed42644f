"""Reads the plain values of a card file piece by piece. What is wrong is written down under its path and answered with
a harmless value."""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

from billing_service.domain.catalogue.exact_decimals import price_e18
from billing_service.domain.catalogue.usage_kinds import Measure, measure_of_word

NAME_CHARACTERS_MAX: Final = 256

_Value = TypeVar("_Value")


class DuplicateNameError(ValueError):
    """An object of the file has a name twice; readers of JSON would take one of them silently."""


def parsed(text: str) -> object:
    """The values of a JSON text, with every number exact: whole ones are int, others Decimal. Raises ValueError for
    what is no JSON, and DuplicateNameError."""

    def constant(name: str) -> object:
        raise ValueError(f"{name} is no number of JSON")

    return json.loads(text, parse_float=Decimal, parse_constant=constant, object_pairs_hook=_object)


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise DuplicateNameError(f"{max(names, key=names.count)!r} is twice in one object")
    return found


class Values:
    """One object of the file. Each of its names must be asked for; `finish` says which were not."""

    def __init__(self, path: str, values: object, problems: list[str]) -> None:
        self.path = path
        self._problems = problems
        self._asked: set[str] = set()
        self._values: Mapping[str, Any] = values if isinstance(values, dict) else {}
        if not isinstance(values, dict):
            self.complain("", "must be an object")
            self._problems = []  # what is missing from it needs no saying

    def complain(self, name: str, what: str) -> None:
        self._problems.append(f"{self._at(name)}: {what}")

    def finish(self) -> None:
        """Complains of names that nobody asked for."""
        for name in self._values:
            if name not in self._asked:
                self.complain(name, "is no field here")

    def has(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, *, required: bool = False) -> str:
        """Printable text of at most 256 characters; empty where it is absent."""
        value = self._value(name, "", "text", required=required)
        if len(value) > NAME_CHARACTERS_MAX or not (value.isprintable() or not value):
            self.complain(name, f"must be at most {NAME_CHARACTERS_MAX} printable characters")
        elif required and self._values.get(name) == "":
            self.complain(name, "must not be empty")
        return value

    def whole(self, name: str, *, least: int, most: int, default: int | None = None) -> int:
        """A whole number within the bounds; `default` where it is absent, required without one."""
        value = self._value(name, least if default is None else default, "a whole number", required=default is None)
        if not least <= value <= most:
            self.complain(name, f"must be from {least} to {most}, not {value}")
            return least
        return value

    def flag(self, name: str) -> bool:
        return self._value(name, False, "true or false", required=False)

    def objects(self, name: str) -> Iterator["Values"]:
        """The objects of a list; none where it is absent."""
        nothing: list[Any] = []
        for number, value in enumerate(self._value(name, nothing, "a list", required=False)):
            yield Values(f"{self._at(name)}[{number}]", value, self._problems)

    def object(self, name: str, *, required: bool = False) -> "Values":
        """The object of that name; an empty one where it is absent."""
        self._asked.add(name)
        if required and name not in self._values:
            self.complain(name, "is missing")
        return Values(self._at(name), self._values.get(name, {}), self._problems)

    def texts(self, name: str) -> list[str]:
        """A list of texts; empty where it is absent."""
        found: list[str] = []
        nothing: list[Any] = []
        for number, value in enumerate(self._value(name, nothing, "a list", required=False)):
            if isinstance(value, str) and value and value.isprintable() and len(value) <= NAME_CHARACTERS_MAX:
                found.append(value)
            else:
                self.complain(f"{name}[{number}]", f"must be text of 1 to {NAME_CHARACTERS_MAX} printable characters")
        return found

    def names(self) -> list[str]:
        """All names of the object, as asked for."""
        self._asked.update(self._values)
        return list(self._values)

    def measures(self) -> Iterator[tuple[Measure, "Values"]]:
        """The object's names as measures, each with its own object. Two names of one measure are a problem."""
        seen: set[Measure] = set()
        for name in self.names():
            try:
                measure = measure_of_word(name)
            except ValueError as error:
                self.complain(name, str(error))
                continue
            if measure in seen:
                self.complain(name, f"is the same as {measure.word}, which is there too")
            seen.add(measure)
            yield measure, Values(self._at(name), self._values[name], self._problems)

    def price_e18(self, name: str, *, per: int) -> int:
        """A price for `per` units as a whole number of 1e-18 USD for one."""
        self._asked.add(name)
        try:
            return price_e18(self._values[name], per=per)
        except ValueError as error:
            self.complain(name, str(error))
            return 0

    def _at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path and name else name or self.path or "file"

    def _value(self, name: str, default: _Value, words: str, *, required: bool) -> _Value:
        """The value of that name where it is of the default's type; the default, and a problem, where it is not."""
        self._asked.add(name)
        if name not in self._values:
            if required:
                self.complain(name, "is missing")
            return default
        value = self._values[name]
        if type(value) is not type(default):
            self.complain(name, f"must be {words}")
            return default
        return value
