"""How many decimals a currency's smallest unit has, the way Stripe counts them."""

import re

_CODE = re.compile(r"[a-z]{3}")

ZERO_DECIMAL = frozenset(["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"])
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
WHOLE_UNITS_AS_CENTS = frozenset({"isk", "ugx"})
"""Sent with two decimals that must be zero: they have no cents to sell by."""


def is_currency_code(text: str) -> bool:
    """Whether the text has the shape of a lower-case ISO 4217 code."""
    return _CODE.fullmatch(text) is not None


def has_cents(currency: str) -> bool:
    """Whether the currency's smallest unit is a hundredth, so that "one credit per cent" means something."""
    return currency not in ZERO_DECIMAL | THREE_DECIMAL | WHOLE_UNITS_AS_CENTS


def amount_step_minor(currency: str) -> int:
    """The smallest difference between two amounts that Stripe takes, in the currency's smallest unit."""
    if currency in THREE_DECIMAL:
        return 10
    return 100 if currency in WHOLE_UNITS_AS_CENTS else 1
