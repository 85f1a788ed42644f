"""Which names lead to which model in genai-prices' data, as its own search finds them: the first model whose clause
fits."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from billing_service.rate_import.price_lists import is_literal
from billing_service.rate_import.reports import NotImportableError

SAMPLE_SUFFIXES: Final = ("-2099-12-31", "-20991231")
"""Where both lead to a model, so does any date."""
_COMPACT_DATE: Final = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)", re.ASCII)


class Names:
    """The names of one provider's models."""

    def __init__(self, models: Sequence[Mapping[str, Any]]) -> None:
        self._models = models

    def find(self, name: str) -> Mapping[str, Any] | None:
        """The model that the library finds by the name; None where it finds none in this provider."""
        name = name.lower()
        for spelled in dict.fromkeys((name, _COMPACT_DATE.sub(_dashed, name))):
            for model in self._models:
                if clause_fits(model.get("match"), spelled):
                    return model
        return None

    def literal(self, model: Mapping[str, Any]) -> list[str]:
        """The names that lead to the model and to no other, its id first. Raises NotImportableError where there is
        none."""
        candidates = dict.fromkeys([model["id"], *_equals(model.get("match"))])
        names = [name for name in candidates if self.find(name) is model and is_literal(name)]
        if not names:
            raise NotImportableError("no name that a card could have leads to it")
        return names

    def is_dated(self, model: Mapping[str, Any], name: str) -> bool:
        """Whether the name with a date behind it leads to the model too."""
        return all(self.find(name + suffix) is model for suffix in SAMPLE_SUFFIXES)


def clause_fits(clause: object, text: str) -> bool:
    """Whether a clause of the data fits a name in lower case. Raises NotImportableError for a clause that is not
    known."""
    if not isinstance(clause, Mapping) or len(clause) != 1:
        raise NotImportableError("its names are given by a clause that this importer does not know")
    (kind, value), *_ = clause.items()
    if kind in {"or", "and"}:
        fits = [clause_fits(part, text) for part in value]
        return any(fits) if kind == "or" else all(fits)
    if kind == "regex":
        return re.search(value, text) is not None
    lowered = str(value).lower()
    known = {
        "equals": lambda: text == lowered,
        "starts_with": lambda: text.startswith(lowered),
        "ends_with": lambda: text.endswith(lowered),
        "contains": lambda: lowered in text,
    }
    if kind not in known:
        raise NotImportableError("its names are given by a clause that this importer does not know")
    return known[kind]()


def _equals(clause: object) -> Iterator[str]:
    """Names that a clause spells out."""
    if isinstance(clause, Mapping):
        if isinstance(clause.get("equals"), str):
            yield clause["equals"]
        for part in clause.get("or", ()):
            yield from _equals(part)


def _dashed(found: re.Match[str]) -> str:
    """`-20261130` as `-2026-11-30`, where it is a day of the calendar."""
    year, month, day = map(int, found.groups())
    try:
        date(year, month, day)
    except ValueError:
        return found[0]
    return f"-{year:04}-{month:02}-{day:02}"
