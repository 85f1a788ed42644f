"""Decimal numbers as whole numbers of a small unit, exactly. Nothing here rounds, and no float passes."""

import re
from decimal import Decimal
from typing import Final

PRICE_DECIMALS: Final = 18
"""A price is a whole number of 1e-18 USD."""
USD_PER_UNIT_MAX: Final = 1_000_000
"""No provider asks that much for one of anything; more is a mistake in the unit."""

_EXTRA: Final = 40
"""Decimals beyond those of a price that are read before it is known whether dividing leaves them."""
_PRICE_POWER: Final[int] = 10**PRICE_DECIMALS
_EXTRA_POWER: Final[int] = 10**_EXTRA
_PLAIN: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,40})?", re.ASCII)
_DIGITS_MAX: Final = 60
_EXPONENT_MAX: Final = 60


class NotExactError(ValueError):
    """The number has more decimals than there is room for."""


def scaled(value: Decimal | int | str, decimals: int = PRICE_DECIMALS) -> int:
    """`value` x 10^decimals, a whole number of at least 0. Text is plain decimal digits without sign or exponent.

    Raises NotExactError where decimals would be lost, ValueError for text that is no such number, and for what is below zero, not finite
    or absurdly long.
    """
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) is None:
            raise ValueError(f"must be a decimal number without sign and exponent, such as '0.00000125', not {value[:_DIGITS_MAX]!r}")
        value = Decimal(value)
    elif isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a decimal number")  # noqa: TRY004 - for whoever reads a file both are a wrong value
    if isinstance(value, int):
        value = Decimal(value)
    if not value.is_finite() or value < 0:
        raise ValueError("must be finite and at least 0")
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int), "a finite number has an exponent"
    if len(digits) > _DIGITS_MAX or abs(exponent) > _EXPONENT_MAX:
        raise ValueError("has too many digits")
    shift = exponent + decimals
    whole = int("".join(map(str, digits)) + "0" * max(shift, 0))
    power: int = 10 ** max(-shift, 0)
    kept, lost = divmod(whole, power)
    if lost:
        raise NotExactError(f"has more than {decimals} decimals")
    return kept


def price_e18(value: Decimal | int | str, *, per: int = 1) -> int:
    """A price for `per` units (a power of ten or not) as a whole number of 1e-18 USD for one.

    Raises NotExactError where one unit's price would need more than 18 decimals, ValueError as `scaled` and above a million USD.
    """
    found, lost = divmod(scaled(value, PRICE_DECIMALS + _EXTRA), per * _EXTRA_POWER)
    if lost:
        raise NotExactError(f"needs more than {PRICE_DECIMALS} decimals for one unit")
    if found > USD_PER_UNIT_MAX * _PRICE_POWER:
        raise ValueError(f"must be at most {USD_PER_UNIT_MAX} USD for one unit")
    return found


def decimal_text(value: int, decimals: int) -> str:
    """`value` / 10^decimals as the shortest plain decimal: `0.00000125`, `3`, `0`. `value` must be at least 0."""
    power: int = 10**decimals
    whole, part = divmod(value, power)
    shown = f"{part:0{decimals}d}".rstrip("0") if part else ""
    return f"{whole}.{shown}" if shown else str(whole)
