"""What a rate card remembers of the names that it was asked for."""

import pytest

from billing_service.domain.catalogue.rate_cards import Column, Entry, RateCard, UnitPrice
from billing_service.domain.catalogue.usage_kinds import Measure, UsageKind
from billing_service.domain.refusals import Refusal
from billing_service.domain.spending import pricing
from billing_service.domain.spending.pricing import TimeBasis, price
from billing_service.domain.spending.usage import usage_of


def test_what_a_card_remembers_of_a_model_is_bounded_and_changes_no_price(monkeypatch):
    monkeypatch.setattr(pricing, "NAMES_REMEMBERED_MAX", 2)
    column = Column({Measure(UsageKind.INPUT_TOKENS): UnitPrice(10**12)})
    card = RateCard("v", 0, (Entry("p", "m**", (column,)),), markup_ppm=0)
    for number in (1, 2, 3, 4, 1, 4):
        asked = usage_of(provider="p", model=f"m-{number}", lines=[(1, "", number)])
        found = price(asked, card, 0, TimeBasis.RECEIVED)
        assert (found.model_pattern, found.amount_microcredits) == ("m**", 100 * number)
        assert len(card.remembered) <= 2
    with pytest.raises(Refusal):
        price(usage_of(provider="p", model="other", lines=[(1, "", 1)]), card, 0, TimeBasis.RECEIVED)
