"""From the plain values of a catalogue file to a Catalog, or to a list of everything that is wrong with it.

currency = "usd"
[[packages]]
code = "starter"          # unique; lower-case letters, digits, - and _
name = "Starter Pack"
credits = 1_000           # whole credits
price_minor = 10_00       # in the currency's smallest unit
description = "..."       # optional, as all below
active = true
display_order = 1         # its place in the file otherwise
currency = "usd"          # must be the catalogue's
stripe_product_id = "prod_..."
stripe_price_id = "price_..."
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from billing_service.domain.catalogue.currencies import amount_step_minor, is_currency_code
from billing_service.domain.catalogue.packages import Catalog, Package, catalog_of
from billing_service.domain.ledger.amounts import AMOUNT_MAX, MICROCREDITS_PER_CREDIT

CREDITS_MAX: Final = AMOUNT_MAX // MICROCREDITS_PER_CREDIT
"""Of one package: no purchase may bring more than one operation can grant."""
PRICE_MINOR_MAX: Final = 99_999_999
"""Eight digits: the most that Stripe charges in one payment."""
DISPLAY_ORDER_MAX: Final = 1_000_000
NAME_CHARACTERS_MAX: Final = 250
DESCRIPTION_CHARACTERS_MAX: Final = 500

_CATALOG_FIELDS: Final = frozenset({"currency", "packages"})
_REQUIRED_FIELDS: Final = ("code", "name", "credits", "price_minor")
_OPTIONAL_FIELDS: Final = ("description", "active", "display_order", "currency", "stripe_product_id", "stripe_price_id")
_CODE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PRODUCT_ID: Final = re.compile(r"prod_[A-Za-z0-9]{1,250}")
_PRICE_ID: Final = re.compile(r"price_[A-Za-z0-9]{1,250}")


class CatalogInvalid(ValueError):  # noqa: N818 - named like the other typed "no"s of the domain
    """A catalogue that can't be sold from. `problems` names the entry of each fault."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class _Entry:
    """Reads one table of the file; each fault is recorded under the entry's name and answered with a harmless value."""

    def __init__(self, where: str, values: Mapping[str, Any], problems: list[str]) -> None:
        self._where = where
        self._values = values
        self._problems = problems

    def complain(self, what: str) -> None:
        self._problems.append(f"{self._where}: {what}")

    def text(
        self, field: str, *, characters_max: int, pattern: re.Pattern[str] | None = None, required: bool = False
    ) -> str:
        value = self._values.get(field, "")
        if not isinstance(value, str):
            self.complain(f"{field} must be text")
            return ""
        if required and not value.strip():
            if field in self._values:
                self.complain(f"{field} must not be empty")
            return ""
        if len(value) > characters_max or not (value.isprintable() or value == ""):
            self.complain(f"{field} must be at most {characters_max} printable characters")
        elif value and pattern is not None and pattern.fullmatch(value) is None:
            self.complain(f"{field} {value!r} must match {pattern.pattern}")
        return value

    def whole(self, field: str, *, least: int, most: int, default: int) -> int:
        value = self._values.get(field, default)
        if type(value) is not int:
            self.complain(f"{field} must be a whole number")
            return default
        if not least <= value <= most:
            self.complain(f"{field} must be from {least} to {most}, not {value}")
            return default
        return value

    def flag(self, field: str, *, default: bool) -> bool:
        value = self._values.get(field, default)
        if not isinstance(value, bool):
            self.complain(f"{field} must be true or false")
            return default
        return value


def catalog_from_entries(document: Mapping[str, Any]) -> Catalog:
    """The catalogue that a file's values describe. Raises CatalogInvalid with every fault found."""
    problems: list[str] = [f"catalogue: unknown field {field!r}" for field in document if field not in _CATALOG_FIELDS]
    currency = document.get("currency")
    if not isinstance(currency, str) or not is_currency_code(currency):
        problems.append("catalogue: currency must be a lower-case ISO 4217 code, such as 'usd'")
        currency = ""
    entries = document.get("packages", [])
    if not isinstance(entries, list) or not entries:
        problems.append("catalogue: needs at least one entry under packages")
        entries = []
    packages: dict[str, Package] = {}
    for place, values in enumerate(entries, start=1):
        package = _package(place, values, currency, problems)
        if package is None:
            continue
        if package.code and package.code in packages:
            problems.append(f"package {place} {package.code!r}: this code is already taken by an earlier entry")
        packages[package.code] = package
    if problems:
        raise CatalogInvalid(problems)
    return catalog_of(currency, packages)


def _package(place: int, values: object, currency: str, problems: list[str]) -> Package | None:
    if not isinstance(values, dict):
        problems.append(f"package {place}: must be a table")
        return None
    code = values.get("code")
    where = f"package {place} {code!r}" if isinstance(code, str) and code else f"package {place}"
    entry = _Entry(where, values, problems)
    for field in _REQUIRED_FIELDS:
        if field not in values:
            entry.complain(f"{field} is missing")
    for field in values:
        if field not in _REQUIRED_FIELDS and field not in _OPTIONAL_FIELDS:
            entry.complain(f"unknown field {field!r}")
    if values.get("currency", currency) != currency:
        entry.complain(f"currency must be the catalogue's, {currency!r}, not {values['currency']!r}")
    step_minor = amount_step_minor(currency)
    price_minor = entry.whole("price_minor", least=1, most=PRICE_MINOR_MAX, default=step_minor)
    if price_minor % step_minor:
        entry.complain(f"price_minor must be a multiple of {step_minor} in {currency!r}")
    return Package(
        code=entry.text("code", characters_max=64, pattern=_CODE, required=True),
        name=entry.text("name", characters_max=NAME_CHARACTERS_MAX, required=True),
        description=entry.text("description", characters_max=DESCRIPTION_CHARACTERS_MAX),
        credits_microcredits=entry.whole("credits", least=1, most=CREDITS_MAX, default=1) * MICROCREDITS_PER_CREDIT,
        price_minor=price_minor,
        currency=currency,
        active=entry.flag("active", default=True),
        display_order=entry.whole("display_order", least=0, most=DISPLAY_ORDER_MAX, default=place),
        stripe_product_id=entry.text("stripe_product_id", characters_max=255, pattern=_PRODUCT_ID) or None,
        stripe_price_id=entry.text("stripe_price_id", characters_max=255, pattern=_PRICE_ID) or None,
    )
