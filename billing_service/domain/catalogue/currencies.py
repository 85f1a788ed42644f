"""How many decimals a currency's smallest unit has, the way Stripe counts them."""

import re

from billing_service.domain.refusals import invalid_field

_CODE = re.compile(r"[a-z]{3}")

ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
WHOLE_UNITS_AS_CENTS = frozenset({"isk", "ugx"})
"""Sent with two decimals that must be zero: they have no cents to sell by."""


def is_currency_code(text: str) -> bool:
    """Whether the text has the shape of a lower-case ISO 4217 code."""
    return _CODE.fullmatch(text) is not None


def amount_step_minor(currency: str) -> int:
    """The smallest difference between two amounts that Stripe takes, in the currency's smallest unit."""
    if currency in THREE_DECIMAL:
        return 10
    return 100 if currency in WHOLE_UNITS_AS_CENTS else 1


def round_down_to_step(amount_minor: int, currency: str) -> int:
    """The largest amount that Stripe takes and that is not above this one."""
    return amount_minor - amount_minor % amount_step_minor(currency)


def require_step(field: str, amount_minor: int, currency: str) -> None:
    """Refuses with INVALID_FIELD an amount that Stripe would round or refuse."""
    step_minor = amount_step_minor(currency)
    if amount_minor % step_minor:
        raise invalid_field(field, f"must be a multiple of {step_minor} in {currency!r}")
