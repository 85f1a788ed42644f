"""Units and their limits. Credits are whole microcredits everywhere: no float ever holds an amount."""

MICROCREDITS_PER_CREDIT = 1_000_000
"""1 credit = 1 US cent of list price."""

AMOUNT_MAX = 1_000_000_000_000_000
"""Most microcredits that one operation moves: a billion credits."""

BALANCE_MAX = 9_000_000_000_000_000
"""Most microcredits that an account holds or owes; below 2^53, so that every JSON reader keeps it exact."""

_DECIMALS = 6


def shown_credits(microcredits: int) -> str:
    """In credits, exact, with as many decimals as it takes: `1,234.5`."""
    whole, part = divmod(abs(microcredits), MICROCREDITS_PER_CREDIT)
    decimals = f".{part:0{_DECIMALS}}".rstrip("0") if part else ""
    return f"{'-' if microcredits < 0 else ''}{whole:,}{decimals}"


assert AMOUNT_MAX < BALANCE_MAX < 2**53

MONEY_MINOR_MAX = 10**12
"""Stripe's largest amounts have twelve digits. Nine million refunds of this size still fit a 64-bit sum."""
