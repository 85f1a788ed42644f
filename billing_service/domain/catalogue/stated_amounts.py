"""Amounts of money that a deployment states in one currency: 1,000 smallest units are 10 US dollars, 10 rupees or 1,000
won.

What is stated in another currency than the catalogue's says nothing about it, so what depends on it is off there.
"""

from dataclasses import dataclass
from typing import Final

from billing_service.domain.catalogue.packages import CustomAmounts
from billing_service.domain.ledger.amounts import AMOUNT_MAX, MICROCREDITS_PER_CREDIT

DOLLARS: Final = "usd"
CUSTOM_MIN_CENTS: Final = 100
CUSTOM_MAX_CENTS: Final = 1_000_000
REFERRAL_MIN_CENTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class StatedAmounts:
    """Amounts in `currency`'s smallest unit; None where the deployment states none. Only in US dollars there are
    defaults then."""

    currency: str
    custom_min_minor: int | None = None
    custom_max_minor: int | None = None
    microcredits_per_minor: int | None = None
    """Microcredits that one smallest unit buys at list price."""
    referral_min_minor: int | None = None
    """The least first purchase that earns a referral's bonus."""

    def custom_amounts(self, currency: str) -> CustomAmounts | None:
        """How custom amounts are sold in a catalogue of that currency; None: not at all. Raises ValueError for limits
        that contradict."""
        least, most, rate = self._custom()
        if currency != self.currency or least is None or most is None or rate is None:
            return None
        return CustomAmounts(least, most, rate)

    def referral_minimum(self, currency: str) -> int | None:
        """The least first purchase that earns the bonus in a catalogue of that currency; None: referrals are off."""
        if currency != self.currency:
            return None
        return (
            REFERRAL_MIN_CENTS if self.referral_min_minor is None and currency == DOLLARS else self.referral_min_minor
        )

    def faults(self) -> list[tuple[str, str]]:
        """What makes the amounts unfit in their own currency: (field, what is wrong with it)."""
        custom = dict(
            zip(("custom_min_minor", "custom_max_minor", "microcredits_per_minor"), self._custom(), strict=True)
        )
        missing = [name for name, value in custom.items() if value is None]
        if 0 < len(missing) < len(custom):
            return [(name, f"is required with the others in {self.currency!r}") for name in missing]
        if missing:
            return []
        least, most, rate = (value or 0 for value in custom.values())
        if least > most:
            return [("custom_min_minor", "is above the largest")]
        return (
            [("microcredits_per_minor", "makes more of the largest than a purchase may bring")]
            if most * rate > AMOUNT_MAX
            else []
        )

    def _custom(self) -> tuple[int | None, int | None, int | None]:
        given = (self.custom_min_minor, self.custom_max_minor, self.microcredits_per_minor)
        if self.currency != DOLLARS:
            return given
        defaults = (CUSTOM_MIN_CENTS, CUSTOM_MAX_CENTS, MICROCREDITS_PER_CREDIT)
        least, most, rate = (
            default if value is None else value for value, default in zip(given, defaults, strict=True)
        )
        return least, most, rate
