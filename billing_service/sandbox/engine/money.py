"""Amounts: smallest currency units, and the smallest that can be charged."""

from billing_service.sandbox.engine.errors import invalid

AMOUNT_MAX = 99_999_999
# Smallest charge in the currency's own smallest unit; currencies that are not listed get the default.
MINIMUM_CHARGE = {"gbp": 30, "dkk": 250, "hkd": 400, "czk": 1_500, "huf": 17_500}
MINIMUM_CHARGE |= (
    dict.fromkeys(("aed", "myr", "pln", "ron"), 200)
    | dict.fromkeys(("nok", "sek"), 300)
    | dict.fromkeys(("mxn", "thb"), 1_000)
)
MINIMUM_CHARGE_DEFAULT = 50
ZERO_DECIMAL = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"}
)
THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
# Written with two decimals that must be zero.
WHOLE_UNITS_AS_CENTS = frozenset({"isk", "ugx"})
CURRENCY_LENGTH = 3
SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def currency_of(text: str, param: str = "currency") -> str:
    """Lower-case, as Stripe stores it. Raises ApiError when it is no three-letter code."""
    currency = text.lower()
    if len(currency) != CURRENCY_LENGTH or not currency.isascii() or not currency.isalpha():
        raise invalid(f"Invalid currency: {text}.", param=param, code="invalid_currency")
    return currency


def check_charge(amount: int, currency: str, param: str = "amount") -> None:
    """Raises ApiError unless `amount` can be charged."""
    if amount < 1:
        raise invalid("This value must be greater than or equal to 1.", param=param, code="parameter_invalid_integer")
    check_step(amount, currency, param)
    smallest = MINIMUM_CHARGE.get(currency, MINIMUM_CHARGE_DEFAULT)
    if amount < smallest:
        raise invalid(
            f"Amount must be at least {shown(smallest, currency)} {currency}", param=param, code="amount_too_small"
        )
    if amount > AMOUNT_MAX:
        raise invalid(
            f"Amount must be no more than {shown(AMOUNT_MAX, currency)}", param=param, code="amount_too_large"
        )


def check_step(amount: int, currency: str, param: str = "amount") -> None:
    """Raises ApiError for an amount between two that the currency has."""
    step = 10 if currency in THREE_DECIMAL else 100 if currency in WHOLE_UNITS_AS_CENTS else 1
    if amount % step:
        raise invalid(
            f"Invalid amount: in {currency} it must be divisible by {step}.",
            param=param,
            code="parameter_invalid_integer",
        )


def shown(amount: int, currency: str) -> str:
    """For people: `$10.00`, `¥1,000`, `12.500 KWD`."""
    decimals = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    number = f"{amount / 10**decimals:,.{decimals}f}"
    symbol = SYMBOLS.get(currency)
    return f"{symbol}{number}" if symbol else f"{number} {currency.upper()}"
