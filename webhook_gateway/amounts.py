"""Credits and money as people write them. No float holds an amount."""

MICROCREDITS_PER_CREDIT = 1_000_000
CREDIT_DECIMALS = 6
ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def shown_credits(microcredits: int) -> str:
    """Exact, with as many decimals as it takes: `1,234.5`."""
    whole, part = divmod(microcredits, MICROCREDITS_PER_CREDIT)
    return f"{whole:,}" + (f".{part:0{CREDIT_DECIMALS}}".rstrip("0") if part else "")


def shown_money(minor: int, currency: str) -> str:
    """`$10.00`, `¥1,000`, `12.500 KWD`: with the currency's own number of decimals."""
    decimals = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    whole, part = divmod(minor, 10**decimals)
    number = f"{whole:,}" + (f".{part:0{decimals}}" if decimals else "")
    symbol = SYMBOLS.get(currency)
    return f"{symbol}{number}" if symbol else f"{number} {currency.upper()}"
