"""What one card says and another does not."""

from dataclasses import replace

from hypothesis import given

from billing_service.domain.catalogue.moments import Hours
from billing_service.domain.catalogue.rate_card_differences import Difference, differences
from billing_service.domain.catalogue.rate_cards import Alias, Column, Entry, Markup, PromptTier
from tests.support.rate_card_examples import by_hand, card_of, cards, prices_of


def entry(model="m", value=1, **more):
    return Entry("p", model, (Column(prices_of(input_tokens=value), **more),))


def test_a_card_differs_in_nothing_from_itself():
    assert differences(by_hand(), by_hand()) == []


def test_prices_that_changed_came_and_went():
    night = (Hours(0, 3_600, (0, 1)),)
    tiers = (PromptTier(9, prices_of(input_tokens=5)),)
    old = card_of(
        Entry(
            "p",
            "m",
            (Column(prices_of(input_tokens=1, images=4), prompt_tiers=tiers), Column(prices_of(images=1), "batch")),
        ),
        entry("old"),
    )
    new = card_of(
        Entry(
            "p",
            "m",
            (Column(prices_of(input_tokens=2, images=4)), Column(prices_of(images=7), "", (("region", "us"),), night)),
        ),
        entry("new"),
    )
    assert differences(old, new) == [
        Difference("p", "m", "above 9 input_tokens", 5, None),
        Difference("p", "m", "batch images", 1, None),
        Difference("p", "m", "input_tokens", 1, 2),
        Difference("p", "m", "region=us mon-tue 00:00-01:00 images", None, 7),
        Difference("p", "new", "entry", None, "1 price"),
        Difference("p", "old", "entry", "1 price", None),
    ]


def test_what_is_no_price():
    old = card_of(
        entry(),
        entry("n"),
        aliases=(Alias("p", "a", "p", "m"),),
        markups=(Markup("p", "", 5),),
        service_tier_aliases={"fast": "x"},
    )
    new = card_of(
        replace(entry(), neutral_attributes=(("r", "1"), ("r", "2"))),
        Entry("p", "n", provider_cost=True),
        aliases=(Alias("p", "a", "p", "n"),),
        markup_ppm=7,
    )
    assert [(one.provider, one.model, one.what, one.before, one.after) for one in differences(old, new)] == [
        ("", "", "markup", "0 ppm", "7 ppm"),
        ("", "", "service tier fast", "x", None),
        ("p", "", "markup", "5 ppm", None),
        ("p", "a", "alias of", "p m", "p n"),
        ("p", "m", "neutral r", None, "1 2"),
        ("p", "n", "input_tokens", 1, None),
        ("p", "n", "price", None, "the provider's own cost"),
    ]
    assert [one.is_price for one in differences(old, new)] == [False] * 5 + [True, False]


@given(cards(), cards())
def test_the_way_back_is_the_same_reversed(one, other):
    there = [(found.provider, found.model, found.what, found.before, found.after) for found in differences(one, other)]
    back = [(found.provider, found.model, found.what, found.after, found.before) for found in differences(other, one)]
    assert there == back
