"""What a customer typed into the checkout page, checked field by field before a card is made of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from billing_service.sandbox.engine.cards import brand_of, passes_luhn
from billing_service.sandbox.engine.email_addresses import is_taken

EXPIRY = re.compile(r"^\s*(\d{1,2})\s*/?\s*(\d{2}|\d{4})\s*$")
NUMBER_LENGTH = range(13, 20)
FIELDS = ("email", "method", "number", "expiry", "cvc", "name", "course")
FIELD_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class PaymentForm:
    """`values` as typed; `errors` by field, empty when the form can be paid with; the rest is read only then."""

    values: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    number: str = ""
    exp_month: int = 0
    exp_year: int = 0

    @property
    def pays_by_debit(self) -> bool:
        return self.values["method"] == "debit"


def read(sent: Mapping[str, object], *, now: int, needs_email: bool, offers_debit: bool) -> PaymentForm:
    """Never raises: what is wrong with a field is said in `errors`."""
    values = {name: _text(sent.get(name)) for name in FIELDS}
    if values["method"] != "debit" or not offers_debit:
        values["method"] = "card"
    errors: dict[str, str] = {}
    if needs_email and not is_taken(values["email"]):
        errors["email"] = "Enter your email, such as you@example.com."
    if values["method"] == "debit":
        return PaymentForm(values, errors)
    number = re.sub(r"[\s-]", "", values["number"])
    if message := _number_error(number):
        errors["number"] = message
    month, year, message = _expiry(values["expiry"], now)
    if message:
        errors["expiry"] = message
    if not re.match(r"^\d{4}$" if brand_of(number) == "amex" else r"^\d{3}$", values["cvc"]):
        errors["cvc"] = "Enter the security code." if not values["cvc"] else "The security code is incomplete."
    if not values["name"]:
        errors["name"] = "Enter the name on the card."
    return PaymentForm(values, errors, number, month, year)


def _text(value: object) -> str:
    return value.strip()[:FIELD_LENGTH_MAX] if isinstance(value, str) else ""


def _number_error(number: str) -> str:
    if not number:
        return "Enter the card number."
    if not number.isdigit() or not number.isascii() or len(number) not in NUMBER_LENGTH:
        return "The card number is incomplete."
    return "" if passes_luhn(number) else "The card number is not valid."


def _expiry(text: str, now: int) -> tuple[int, int, str]:
    match = EXPIRY.match(text)
    if match is None:
        return 0, 0, "Enter the expiry date as MM / YY."
    month, year = int(match[1]), int(match[2])
    today = datetime.fromtimestamp(now, UTC)
    if year < 100:  # noqa: PLR2004 - two digits mean this century
        year += today.year // 100 * 100
    if not 1 <= month <= 12:  # noqa: PLR2004 - months of a year
        return 0, 0, "The expiry month must be 01 to 12."
    if (year, month) < (today.year, today.month):
        return 0, 0, "The card's expiry date is in the past."
    if year > today.year + 50:
        return 0, 0, "The card's expiry year is not valid."
    return month, year, ""
