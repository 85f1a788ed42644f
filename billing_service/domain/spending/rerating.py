"""Re-rating: what usage that was charged costs by another rate card, and what its accounts should have paid by it.

    target = ceil(new price x share of the charge that was not undone)

Where less was collected than the price, the target is at most the same share of what was collected.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Final, NamedTuple

from billing_service.domain.catalogue.rate_cards import RateCard
from billing_service.domain.refusals import Refusal
from billing_service.domain.spending.price_records import PricedUsage, UnpricedUsage
from billing_service.domain.spending.pricing import Price, TimeBasis, price, pricing_time
from billing_service.domain.spending.standing import StandingCharge

SETTLED_US: Final = 300 * 1_000_000
"""How long ago a window ends whose usage is corrected, besides the time in which an ended hold may still be captured:
by then all that was charged in it is there, and is final."""
WINDOW_MAX_US: Final = 92 * 86_400 * 1_000_000
"""Of one re-rating: a quarter."""
MISSING_CHARACTERS_MAX: Final = 100
"""Of what a card lacks: a usage may have many attributes."""


class Standing(NamedTuple):
    """What a charge is now."""

    charged: int
    """Microcredits that it took at first."""
    amount: int
    """Microcredits that it was to take: what its usage cost."""
    net: int
    """Microcredits that it has taken by now, less what came back."""
    share: Fraction
    """The part of its usage that was not undone, 0 to 1."""
    decided: bool = False
    """Whether the new card has decided it already. No card does so twice, so that a late repeat undoes nothing."""


class ChargedUsage(NamedTuple):
    """A charge of an account whose usage is known."""

    account_id: str
    transaction_id: str
    create_time_us: int
    priced: PricedUsage | UnpricedUsage
    standing: Standing
    part: Fraction = Fraction(1)
    """The part of its usage that it charged: a session may have charged the rest when its hold ended."""

    def own_price(self, found: Price) -> int:
        """What the charge's part of its usage costs, where all of the usage costs `found`."""
        return ceil(found.amount_microcredits * self.part)


def standing_of(charged: int, amount: int, given_back: int) -> Standing:
    """Of a charge that took `charged` of `amount`, and of which reversals gave something back."""
    share = Fraction(charged - given_back, charged) if charged else Fraction(1)
    return Standing(charged, amount, charged - given_back, share)


def standing_of_changed(charge: StandingCharge, amount: int, *, decided: bool) -> Standing:
    """Of a charge that was to take `amount`."""
    return Standing(charge.charged, amount, charge.net, charge.share, decided)


def target_of(standing: Standing, new_price: int) -> int:
    """Microcredits that the charge should come to by a new price."""
    if standing.decided:
        return standing.net
    target = ceil(new_price * standing.share)
    if standing.charged < standing.amount:
        return min(target, ceil(standing.charged * standing.share))
    return target


def price_again(usage: ChargedUsage, card: RateCard) -> Price | Refusal:
    """The price of a charged usage by another card: at the time that chose its price, or the refusal that the card has
    none."""
    sent = usage.priced.usage
    if isinstance(usage.priced, PricedUsage):
        basis = usage.priced.price.time_basis
    else:
        _, basis = pricing_time(sent.occur_time_us, usage.create_time_us)
    occurred_us = sent.occur_time_us if basis is TimeBasis.OCCURRED else None
    try:
        return price(sent, card, usage.create_time_us if occurred_us is None else occurred_us, basis)
    except Refusal as refusal:
        return refusal


@dataclass(slots=True)
class Totals:
    """Sums over usages, in microcredits."""

    usages: int = 0
    price: int = 0
    """By the cards that priced them."""
    uncollected: int = 0
    """Of the price, what could not be charged."""
    charged: int = 0
    """What they have taken by now, less what came back."""
    new_price: int = 0
    """By the new card, of all of each usage."""
    target: int = 0
    """What they should come to."""
    decided: int = 0
    """Usages that the new card had decided before."""
    corrected: int = 0
    """What was charged besides; below 0: given back."""
    shortfall: int = 0
    """What was not available to be charged besides."""

    @property
    def difference(self) -> int:
        """Above 0: accounts paid too little."""
        return self.target - self.charged

    def add(self, standing: Standing, new_price: int, target: int, moved: int, shortfall: int) -> None:
        """Counts one usage."""
        self.usages += 1
        self.price += standing.amount
        self.uncollected += standing.amount - standing.charged
        self.charged += standing.net
        self.new_price += new_price
        self.target += target
        self.decided += standing.decided
        self.corrected += moved
        self.shortfall += shortfall


@dataclass(slots=True)
class Unpriced:
    """Usages that the new card has no price for."""

    usages: int = 0
    charged: int = 0
    """What they have taken by now, less what came back."""


class Lack(NamedTuple):
    """What the new card has no price for."""

    provider: str
    model: str
    missing: str
    """`model`, or what of the model: a kind of usage, a tier, an attribute. `provider_cost_usd`: the card has prices of
    its own. `lines`: the price is beyond what one operation moves."""


@dataclass(slots=True)
class Rerated:
    """Sums of a part of the usages of a window."""

    models: dict[tuple[str, str], Totals] = field(default_factory=dict)
    """By provider and model, as they were sent."""
    accounts: dict[str, Totals] = field(default_factory=dict)
    unpriced: dict[Lack, Unpriced] = field(default_factory=dict)
    usages: int = 0
    """All of them, unpriced ones too."""

    def add(self, usage: ChargedUsage, found: Price | Refusal, moved: int = 0, shortfall: int = 0) -> None:
        """Counts a usage with what it costs by the new card, and what was moved for it."""
        self.usages += 1
        sent, standing = usage.priced.usage, usage.standing
        if isinstance(found, Refusal):
            lack = Lack(sent.provider, sent.model, missing_of(found)[:MISSING_CHARACTERS_MAX])
            unpriced = self.unpriced.setdefault(lack, Unpriced())
            unpriced.usages += 1
            unpriced.charged += standing.net
            return
        new_price = usage.own_price(found)
        target = target_of(standing, new_price)
        for totals in (
            self.models.setdefault((sent.provider, sent.model), Totals()),
            self.accounts.setdefault(usage.account_id, Totals()),
        ):
            totals.add(standing, new_price, target, moved, shortfall)


def missing_of(refusal: Refusal) -> str:
    """What a card lacks, by the refusal that it has no price."""
    return refusal.metadata.get("missing") or refusal.metadata.get("field", "model").removeprefix("usage.")
