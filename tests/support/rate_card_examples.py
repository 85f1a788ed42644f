"""Cards for the tests: one written by hand, and strategies that make any."""

import base64
from pathlib import Path
from random import Random

from hypothesis import strategies as st

from billing_service.domain.catalogue.moments import Hours
from billing_service.domain.catalogue.rate_card_files import read_card
from billing_service.domain.catalogue.rate_cards import (
    Alias,
    Column,
    Entry,
    Markup,
    PromptTier,
    RateCard,
    Source,
    UnitPrice,
)
from billing_service.domain.catalogue.usage_kinds import VARIANTS, Measure, UsageKind

BY_HAND = (Path(__file__).parent / "rate_card_by_hand.json").read_text(encoding="utf-8")


def by_hand():
    return read_card(BY_HAND)


def card_file(version="hand-1", effective="2026-11-30T00:00:00Z"):
    """The card written by hand under that version, as it may be sent."""
    return BY_HAND.replace('"hand-1"', f'"{version}"').replace("2026-11-30T00:00:00Z", effective).encode()


def card_base64(version="hand-1", **more):
    """The same as JSON writes bytes."""
    return base64.b64encode(card_file(version, **more)).decode()


def card_of(*entries, **more):
    """A card of those entries with a markup of 0, so that costs show as they are."""
    return RateCard(**{"version": "v", "effective_time_us": 0, "markup_ppm": 0, "entries": entries} | more)


def prices_of(**usd_e18):
    """Prices by the word of their measure, without a variant."""
    return {Measure(UsageKind[name.upper()]): UnitPrice(value) for name, value in usd_e18.items()}


STEMS = ["a", "b-1", "b-1-2", "c/d@e", "gpt-5", "g", "ä*b"]
MEASURES = [
    *(Measure(kind) for kind in UsageKind if kind not in VARIANTS and kind is not UsageKind.UNITS),
    *(Measure(kind, variant) for kind, variants in VARIANTS.items() for variant in variants),
    *(Measure(UsageKind.UNITS, name) for name in ("pages", "a", "x_1")),
]


class _Cards:
    """Makes cards by chance that is drawn once: strategies that draw each part are twenty times slower."""

    def __init__(self, seed):
        self._random = Random(seed)

    def prices(self):
        chosen = self._random.sample(MEASURES, self._random.randint(1, 3))
        return {
            measure: UnitPrice(self._random.randint(0, 10**24), self._random.choice(["", "input_tokens"]))
            for measure in chosen
        }

    def columns(self):
        """Columns of one entry that leave no doubt: no hours meet, and the rest of the week has its column."""
        attributes = [(), (("x", "1"),), (("x", "1"), ("y", "2"))]
        groups = self._random.sample(
            [(tier, named) for tier in ("", "batch") for named in attributes], self._random.randint(1, 3)
        )
        for tier, named in groups:
            prices = self.prices()
            thresholds = (
                sorted(self._random.sample(range(1, 10**12), 2)) if Measure(UsageKind.INPUT_TOKENS) in prices else []
            )
            yield Column(prices, tier, named, (), tuple(PromptTier(above, self.prices()) for above in thresholds))
            if self._random.random() < 1 / 3:
                from_s, until_s = sorted(self._random.sample(range(86_401), 2))
                days = tuple(sorted(self._random.sample(range(7), self._random.randint(1, 7))))
                yield Column(self.prices(), tier, named, (Hours(from_s, until_s, days),))

    def card(self):
        """Any card that passes the checks, its parts in the order in which a file has them."""
        chance = self._random
        names = sorted(
            chance.sample(
                [(p, m + s) for p in ("p", "q") for m in STEMS for s in ("", "*", "**")], chance.randint(1, 5)
            )
        )
        entries = [self.entry(*name) for name in names]
        free = [(p, m) for p in ("p", "q", "r") for m in STEMS if (p, m) not in names]
        aliases = [
            Alias(*name, target.provider, target.model)
            for target in entries[:2]
            for name in [free.pop(chance.randrange(len(free)))]
        ]
        return RateCard(
            version=chance.choice(["v1", "2026-11-30 €"]),
            effective_time_us=chance.randint(946_684_800, 4_102_444_799) * 1_000_000,
            entries=tuple(entries),
            aliases=tuple(sorted(aliases, key=lambda alias: (alias.provider, alias.name))),
            markup_ppm=chance.randint(0, 10**8),
            markups=tuple(Markup(*name, chance.randint(0, 10**8)) for name in names if chance.random() < 1 / 2),
            service_tier_aliases=chance.choice([{}, {"fast": "priority", "slow": "standard"}]),
            source=chance.choice([Source(), Source("litellm", "1.2.3")]),
        )

    def entry(self, provider, model):
        if not model.endswith("*") and self._random.random() < 1 / 4:
            return Entry(provider, model, provider_cost=True)
        return Entry(
            provider,
            model,
            tuple(self.columns()),
            self._random.choice([(), (("region", "earth"), ("region", "global"))]),
        )


def cards():
    """A strategy of cards."""
    return st.integers(0, 2**64).map(lambda seed: _Cards(seed).card())
