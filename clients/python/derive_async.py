# ruff: noqa: INP001 - a script beside the package, not in it
"""Derives `billing_client/asynchronous` from `billing_client/blocking`, so that every method is written once.

python clients/python/derive_async.py        writes the files; a test compares them with what this would write
"""

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent / "billing_client"
DERIVED = (
    "accounts.py",
    "spending.py",
    "spend_limits.py",
    "holds.py",
    "purchases.py",
    "all_purchases.py",
    "refunds.py",
    "credit_administration.py",
    "access_administration.py",
    "rate_cards.py",
    "webhook_deliveries.py",
    "client.py",
)
_RULES: tuple[tuple[str, str], ...] = (
    (r'^"""', '"""Derived by derive_async.py; change its blocking twin instead. '),
    (r"billing_client\.blocking\.", "billing_client.asynchronous."),
    (r"\bIterator\b", "AsyncIterator"),
    (r"^    def (?!__init__|from_)", "    async def "),
    (r"\breturn self\._call\(", "return await self._call("),
    (r"\b(page|answer) = self\.", r"\1 = await self."),
    (r"^( +)self\._(pause|run_round)\(", r"\1await self._\2("),
    (r"^( +)yield from (page\.\w+)$", r"\1for item in \2:\n\1    yield item"),
    # Examples of docstrings, where a call is a line of its own or is given a name.
    (r"\bfor (\w+) in client\.iter_", r"async for \1 in client.iter_"),
    (r"^( +)client\.", r"\1await client."),
    (r"= client\.", "= await client."),
    (r"\bwith BillingClient\(", "async with BillingClient("),
    (r"\bBillingClient\b", "AsyncBillingClient"),
    (r"The blocking client", "The client for asyncio"),
)


def derive(blocking_source: str) -> str:
    """The asynchronous twin of one blocking module."""
    source = blocking_source
    for position, (pattern, replacement) in enumerate(_RULES):
        source = re.sub(pattern, replacement, source, count=1 if position == 0 else 0, flags=re.MULTILINE)
    # `await` makes a line longer: what fits on one line in the blocking module may not here.
    formatter = [sys.executable, "-m", "ruff", "format", "-"]
    # Nobody else's words are in it.
    done = subprocess.run(formatter, input=source, capture_output=True, text=True, check=True, cwd=PACKAGE)  # noqa: S603
    return done.stdout


def main() -> None:
    for name in DERIVED:
        (PACKAGE / "asynchronous" / name).write_text(derive((PACKAGE / "blocking" / name).read_text()))


if __name__ == "__main__":
    main()
