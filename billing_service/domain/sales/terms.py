"""What held when a purchase was made: kept with it, so that later settings and catalogues change nothing about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billing_service.domain.promotions.referrals import ReferralPolicy


class SaleTermsInvalid(ValueError):  # noqa: N818 - named like the other typed "no"s of the domain
    """A text that is no terms of a sale. The message names the field."""


@dataclass(frozen=True, slots=True)
class SaleTerms:
    """The terms of one purchase, besides what its row says of price, credits and addresses."""

    promotion_codes_allowed: bool
    """Whether the customer may enter one of Stripe's promotion codes on the page."""
    stripe_price_id: str | None
    """The price of Stripe's catalogue that the page names; None when the page states the price itself."""
    referral: ReferralPolicy
    """What the purchase brings a referred account and its referrer, if it is the account's first."""
    pays_by_intent: bool = False
    """Whether the customer pays in the caller's own page, without a checkout."""

    def encode(self) -> str:
        """JSON text, of which `decode` makes an equal value."""
        values = {
            "promotion_codes_allowed": self.promotion_codes_allowed,
            "stripe_price_id": self.stripe_price_id,
            "referral": {
                "bonus_microcredits": self.referral.bonus_microcredits,
                "minimum_purchase_minor": self.referral.minimum_purchase_minor,
                "rewarded_max": self.referral.rewarded_max,
                "vesting_delay_us": self.referral.vesting_delay_us,
            },
        }
        if self.pays_by_intent:
            values["pays_by_intent"] = True
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> "SaleTerms":
        """The terms of an encoded text. Fields that a newer program added are passed over. Raises SaleTermsInvalid."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError:
            raise SaleTermsInvalid("the terms are not JSON") from None
        referral = _field(values, "referral", dict)
        return cls(
            promotion_codes_allowed=_field(values, "promotion_codes_allowed", bool),
            stripe_price_id=_field(values, "stripe_price_id", str, type(None)),
            referral=ReferralPolicy(
                bonus_microcredits=_amount(referral, "bonus_microcredits"),
                minimum_purchase_minor=_amount(referral, "minimum_purchase_minor", type(None)),
                rewarded_max=_amount(referral, "rewarded_max", type(None)),
                vesting_delay_us=_amount(referral, "vesting_delay_us"),
            ),
            pays_by_intent="pays_by_intent" in values and _field(values, "pays_by_intent", bool),
        )


def _field(values: object, name: str, *kinds: type) -> Any:
    """A field of exactly one of these types: to Python, True is a whole number as well."""
    if not isinstance(values, Mapping) or name not in values:
        raise SaleTermsInvalid(f"{name} is missing")
    if type(values[name]) not in kinds:
        raise SaleTermsInvalid(f"{name} is not {' or '.join(kind.__name__ for kind in kinds)}")
    return values[name]


def _amount(values: object, name: str, *others: type) -> Any:
    amount = _field(values, name, int, *others)
    if amount is not None and amount < 0:
        raise SaleTermsInvalid(f"{name} is negative")
    return amount
