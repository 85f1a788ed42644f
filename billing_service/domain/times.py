"""Units of time. Every time is in microseconds since 1970, UTC."""

from typing import Final

US_PER_S: Final = 1_000_000
