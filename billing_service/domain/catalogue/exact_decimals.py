"""Decimal numbers as whole numbers of a small unit, exactly. Nothing here rounds, and no float passes."""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

PRICE_DECIMALS: Final = 18
"""A price is a whole number of 1e-18 USD."""
USD_PER_UNIT_MAX: Final = 1_000_000
"""No provider asks that much for one of anything; more is a mistake in the unit."""

_PRICE_POWER: Final[int] = 10**PRICE_DECIMALS
_PLAIN: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,40})?", re.ASCII)
_DIGITS_MAX: Final = 60
"""Digits before the point. No sum of money has as many, and an exponent in a file could ask for a billion."""


class NotExactError(ValueError):
    """The number has more decimals than there is room for."""


def scaled(value: Decimal | int | str, decimals: int = PRICE_DECIMALS) -> int:
    """`value` x 10^decimals, a whole number of at least 0. Text is plain decimal digits without sign or exponent.

    Raises NotExactError where decimals would be lost. Raises ValueError for text that is no such number, and for a
    number that is below zero, not finite, or at least 10^60.
    """
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) is None:
            raise ValueError(
                f"must be a decimal number without sign and exponent, such as '0.00000125', not {value[:_DIGITS_MAX]!r}"
            )
        value = Decimal(value)
    elif isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a decimal number")  # noqa: TRY004 - for whoever reads a file both are a wrong value
    if isinstance(value, int):
        value = Decimal(value)
    if not value.is_finite() or value < 0:
        raise ValueError("must be finite and at least 0")
    if not value:
        return 0
    if value.adjusted() >= _DIGITS_MAX:
        raise ValueError("has too many digits")
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int), "a finite number has an exponent"
    written = "".join(map(str, digits))
    significant = written.rstrip("0")
    zeros = decimals + exponent + len(written) - len(significant)
    if zeros < 0:
        raise NotExactError(f"has more than {decimals} decimals")
    power: int = 10**zeros
    return int(significant) * power


def price_e18(value: Decimal | int | str, *, per: int = 1) -> int:
    """A price for `per` units (a power of ten or not) as a whole number of 1e-18 USD for one.

    Raises NotExactError where one unit's price would need more than 18 decimals, ValueError as `scaled` and above a
    million USD.
    """
    found, lost = divmod(scaled(value), per)
    if lost:
        raise NotExactError(f"needs more than {PRICE_DECIMALS} decimals for one unit")
    if found > USD_PER_UNIT_MAX * _PRICE_POWER:
        raise ValueError(f"must be at most {USD_PER_UNIT_MAX} USD for one unit")
    return found


def decimal_text(value: int, decimals: int) -> str:
    """`value` / 10^decimals as the shortest plain decimal: `0.00000125`, `3`, `0`. `value` must be at least 0."""
    if not decimals:
        return str(value)
    digits = str(value).zfill(decimals + 1)
    whole, part = digits[:-decimals], digits[-decimals:].rstrip("0")
    return f"{whole}.{part}" if part else whole


@lru_cache(maxsize=4_096)
def price_text(usd_e18: int) -> str:
    """A price of 1e-18 USD as decimal text. A card has few prices, and each is written with every call."""
    return decimal_text(usd_e18, PRICE_DECIMALS)
