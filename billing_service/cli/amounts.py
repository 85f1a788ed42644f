"""Credits and money between what people write and whole smallest units. No float ever holds an amount."""

import re

import typer

from billing_service.domain.catalogue.currencies import THREE_DECIMAL, ZERO_DECIMAL
from billing_service.domain.ledger.amounts import shown_credits

__all__ = ["read_credits", "read_money", "shown_credits", "shown_money", "shown_unless_zero"]

CREDIT_DECIMALS = 6
_NUMBER = re.compile(r"([+-]?)([0-9]{1,12})(?:\.([0-9]{1,6}))?", re.ASCII)


def shown_unless_zero(microcredits: int) -> str:
    """Credits; nothing for 0."""
    return shown_credits(microcredits) if microcredits else ""


def shown_money(minor: int, currency: str) -> str:
    """`1,234.50 USD`, with the currency's own number of decimals."""
    decimals = _decimals(currency)
    whole, part = divmod(abs(minor), 10**decimals)
    cents = f".{part:0{decimals}}" if decimals else ""
    return f"{'-' if minor < 0 else ''}{whole:,}{cents} {currency.upper()}".rstrip()


def read_credits(text: str) -> int:
    """Microcredits of `12.5` credits. Raises typer.BadParameter."""
    return _read(text, CREDIT_DECIMALS, "credits")


def read_money(text: str, currency: str) -> int:
    """Smallest units of `12.50` in the currency. Raises typer.BadParameter."""
    return _read(text, _decimals(currency), currency.upper() or "money")


def _decimals(currency: str) -> int:
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def _read(text: str, decimals: int, unit: str) -> int:
    match = _NUMBER.fullmatch(text)
    if match is None or len(match[3] or "") > decimals:
        raise typer.BadParameter(
            f"{text!r} is no amount of {unit}: digits, with at most {decimals} decimals after a point"
        )
    scale: int = 10**decimals
    minor = int(match[2]) * scale + int((match[3] or "").ljust(decimals, "0") or "0")
    return -minor if match[1] == "-" else minor
