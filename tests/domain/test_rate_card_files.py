"""Card files: every problem by its path, every number exact, and the same text for the same card."""

import json
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.catalogue.rate_card_checks import CardInvalid, checked
from billing_service.domain.catalogue.rate_card_files import read_card
from billing_service.domain.catalogue.rate_card_text import card_text
from billing_service.domain.catalogue.rate_cards import Column, Entry, UnitPrice
from billing_service.domain.catalogue.usage_kinds import Measure, UsageKind
from tests.support.rate_card_examples import BY_HAND, by_hand, cards

GONE = object()
GOOD = {
    "format": 1,
    "version": "v1",
    "effective_time": "2026-11-30T00:00:00Z",
    "markups": [{"provider": "p", "markup_ppm": 1}],
    "service_tier_aliases": {"fast": "priority"},
    "aliases": [{"provider": "p", "name": "other", "to_model": "m"}],
    "source": {"name": "by hand"},
    "entries": [
        {
            "provider": "p",
            "model": "m",
            "neutral_attributes": {"region": ["global"]},
            "columns": [
                {"prices": {"input_tokens": {"usd": "1"}, "output_tokens": {"usd": "2", "fallback": "x"}}, "prompt_tiers": [{"above_tokens": 5, "prices": {"input_tokens": {"usd": "3"}}}]},
                {"hours": [{"days": ["mon"], "from": "00:00", "until": "12:00"}], "attributes": {}, "prices": {"input_tokens": {"usd": "1"}}},
            ],
        }
    ],
}  # fmt: skip
COLUMN, HOURS, PRICE = "entries.0.columns.0", "entries.0.columns.1.hours.0", "entries.0.columns.0.prices.input_tokens"

FAULTS = [
    ("format", GONE, "format: is missing"),
    ("format", 2, "format: must be 1"),
    ("format", "1", "format: must be a whole number"),
    ("version", GONE, "version: is missing"),
    ("version", "", "version: must not be empty"),
    ("version", "a\nb", "version: must be at most 256 printable characters"),
    ("version", 1, "version: must be text"),
    ("effective_time", GONE, "effective_time: is missing"),
    ("effective_time", "2026-11-30", "effective_time: must be a time such as '2026-11-30T16:00:00Z'"),
    ("markup_ppm", -1, "markup_ppm: must be from 0 to 100000000, not -1"),
    ("markup_ppm", 100_000_001, "markup_ppm: must be from 0"),
    ("markup_ppm", 0.15, "markup_ppm: must be a whole number"),
    ("price", 1, "price: is no field here"),
    ("source", "me", "source: must be an object"),
    ("source.name", GONE, "source.name: is missing"),
    ("source.url", "x", "source.url: is no field here"),
    ("markups.0.markup_ppm", GONE, "markups[0].markup_ppm: is missing"),
    ("markups.0.provider", "q", "markups[0]: no entry has this provider and model"),
    ("markups.0.model", "n", "markups[0]: no entry has this provider and model"),
    ("markups.1", {"provider": "p", "markup_ppm": 2}, "markups[1]: 'p' is there before, at markups[0]"),
    ("service_tier_aliases.fast", 1, "service_tier_aliases.fast: must be text"),
    ("service_tier_aliases.standard", "x", "service_tier_aliases.standard: this name is the standard tier"),
    ("service_tier_aliases.quick", "fast", "service_tier_aliases.quick: leads to 'fast', which is an alias itself"),
    ("aliases.0.to_model", "n", "aliases[0]: no entry is 'p' 'n'"),
    ("aliases.0.to_provider", "q", "aliases[0]: no entry is 'q' 'm'"),
    ("aliases.0.name", "m", "aliases[0]: an entry has this name itself"),
    ("aliases.1", {"provider": "p", "name": "other", "to_model": "m"}, ("aliases[1]: 'p other' is there before, at "
                                                                       "aliases[0]")),
    ("aliases.0.model", "m", "aliases[0].model: is no field here"),
    ("entries", {}, "entries: must be a list"),
    ("entries.0", 7, "entries[0]: must be an object"),
    ("entries.0.provider", GONE, "entries[0].provider: is missing"),
    ("entries.0.model", "", "entries[0].model: must not be empty"),
    ("entries.0.model", "*", "entries[0].model: needs a name before its star"),
    ("entries.0.model", "**", "entries[0].model: needs a name before its star"),
    ("entries.0.columns", [], "entries[0].columns: at least one is needed"),
    ("entries.0.provider_cost", True, "entries[0].provider_cost: leaves no place for columns"),
    ("entries.0.provider_cost", "yes", "entries[0].provider_cost: must be true or false"),
    ("entries.0.neutral_attributes.region", "global", "entries[0].neutral_attributes.region: must be a list"),
    ("entries.0.neutral_attributes.region", [1], "entries[0].neutral_attributes.region[0]: must be text"),
    ("entries.1", deepcopy(GOOD["entries"][0]), "entries[1]: 'p m' is there before, at entries[0]"),
    (COLUMN, [], "entries[0].columns[0]: must be an object"),
    (f"{COLUMN}.prices", GONE, "entries[0].columns[0].prices: is missing"),
    (f"{COLUMN}.prices", {}, "entries[0].columns[0].prices: at least one is needed"),
    (f"{COLUMN}.prices.tokens", {"usd": "1"}, "entries[0].columns[0].prices.tokens: 'tokens' is no kind of usage"),
    (f"{COLUMN}.prices.units", {"usd": "1"}, "entries[0].columns[0].prices.units: the name of a unit must match"),
    (f"{COLUMN}.prices.cache_write_tokens:2h", {"usd": "1"}, ("prices.cache_write_tokens:2h: the variant of "
                                                             "cache_write_tokens must be one of")),
    (f"{COLUMN}.service_tier", "standard", ("entries[0].columns[0].service_tier: the standard tier is written by "
                                           "leaving it out")),
    (f"{COLUMN}.attributes", {"region": "global"}, ("entries[0].columns[0].attributes.region: 'global' is neutral in "
                                                   "this entry")),
    (f"{COLUMN}.attributes", {"region": ""}, "entries[0].columns[0].attributes.region: must not be empty"),
    (f"{COLUMN}.tier", "x", "entries[0].columns[0].tier: is no field here"),
    (f"{COLUMN}.prompt_tiers.0.above_tokens", 0, "prompt_tiers[0].above_tokens: must be from 1"),
    (f"{COLUMN}.prompt_tiers.1", {"above_tokens": 5, "prices": {"images": {"usd": "1"}}}, "prompt_tiers[1].above_tokens: must be above 5"),
    (f"{COLUMN}.prices", {"images": {"usd": "1"}}, "columns[0].prompt_tiers: no price here is for tokens of a prompt"),
    (f"{COLUMN}.service_tier", "flex", ("entries[0].columns[1].hours: no column with the same tier and attributes "
                                       "holds for the rest of the week")),
    ("entries.0.columns.1.hours", [], "entries[0].columns[1]: the same tier, attributes and hours as columns[0]"),
    ("entries.0.columns.1.hours.1", {"from": "11:59:59", "until": "13:00"}, ("entries[0].columns[1].hours[1]: meets "
                                                                            "columns[1].hours[0]")),
    (f"{HOURS}.until", "00:00", "entries[0].columns[1].hours[0].until: must be later than from"),
    (f"{HOURS}.until", "25:00", "entries[0].columns[1].hours[0].until: must be a time of day"),
    (f"{HOURS}.from", GONE, "entries[0].columns[1].hours[0].from: is missing"),
    (f"{HOURS}.days", ["monday"], "entries[0].columns[1].hours[0].days: must be some of mon"),
    (f"{HOURS}.days", ["mon", "mon"], "entries[0].columns[1].hours[0].days: must be some of mon"),
    (f"{HOURS}.days", [], "entries[0].columns[1].hours[0].days: must be some of mon"),
    (PRICE, "1", "entries[0].columns[0].prices.input_tokens: must be an object"),
    (PRICE, {}, "entries[0].columns[0].prices.input_tokens: needs one of usd and per_million_usd"),
    (PRICE, {"usd": "1", "per_million_usd": "1"}, "prices.input_tokens: needs one of usd and per_million_usd"),
    (PRICE, {"usd": "1", "eur": "1"}, "entries[0].columns[0].prices.input_tokens.eur: is no field here"),
    (PRICE, {"usd": "-1"}, "prices.input_tokens.usd: must be a decimal number without sign"),
    (PRICE, {"usd": -1}, "prices.input_tokens.usd: must be finite and at least 0"),
    (PRICE, {"usd": "1e-6"}, "prices.input_tokens.usd: must be a decimal number without sign and exponent"),
    (PRICE, {"usd": "0.0000000000000000001"}, "prices.input_tokens.usd: has more than 18 decimals"),
    (PRICE, {"per_million_usd": "0.0000000000001"}, "prices.input_tokens.per_million_usd: needs more than 18 decimals"),
    (PRICE, {"usd": "1000001"}, "prices.input_tokens.usd: must be at most 1000000 USD"),
    (PRICE, {"usd": True}, "prices.input_tokens.usd: must be a decimal number"),
    (PRICE, {"usd": None}, "prices.input_tokens.usd: must be a decimal number"),
    (PRICE, {"usd": "1", "fallback": 1}, "prices.input_tokens.fallback: must be text"),
]  # fmt: skip

MORE_FOLLOWS = {
    "entries",
    "entries.0",
    "entries.0.model",
    "entries.0.provider",
    COLUMN,
    f"{COLUMN}.service_tier",
    f"{COLUMN}.attributes",
}
"""Faults that leave an alias, a markup or another column without what it belongs to."""


def changed(path, value):
    values = deepcopy(GOOD)
    parts = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = values
    for part in parts[:-1]:
        place = place[part]
    if value is GONE:
        del place[parts[-1]]
    elif isinstance(place, list) and parts[-1] == len(place):
        place.append(value)
    else:
        place[parts[-1]] = value
    return json.dumps(values)


@pytest.mark.parametrize(("path", "value", "problem"), FAULTS)
def test_a_problem_is_named_by_its_path(path, value, problem):
    with pytest.raises(CardInvalid) as invalid:
        read_card(changed(path, value))
    assert [told for told in invalid.value.problems if problem in told], invalid.value.problems
    assert len(invalid.value.problems) == 1 or path in MORE_FOLLOWS


NOT_JSON = [
    "",
    "{",
    "[1,]",
    "nothing",
    '{"a": NaN}',
    '{"a": Infinity}',
    "1e99999999999999999999",
    "[" * 100_000,
    '{"a": ' + "9" * 5000 + "}",
]


@pytest.mark.parametrize("text", NOT_JSON, ids=range(len(NOT_JSON)))
def test_what_is_no_json(text):
    with pytest.raises(CardInvalid, match=r"^file: not JSON: "):
        read_card(text)


@pytest.mark.parametrize("text", ["[]", "null", '"card"', "1"])
def test_a_file_that_is_no_object(text):
    with pytest.raises(CardInvalid, match=r"^file: must be an object$"):
        read_card(text)


def test_a_name_that_is_there_twice():
    with pytest.raises(CardInvalid, match="'usd' is twice in one object"):
        read_card(changed(PRICE, {"usd": "1"}).replace('{"usd": "1"}', '{"usd": "1", "usd": "2"}', 1))


def test_all_problems_are_told_at_once():
    values = deepcopy(GOOD)
    values["version"] = 7
    values["entries"][0]["columns"][0]["prices"]["images"] = {}
    values["entries"][0]["columns"][1]["hours"][0]["from"] = "x"
    values["nothing"] = 1
    with pytest.raises(CardInvalid) as invalid:
        read_card(json.dumps(values))
    assert [problem.split(": ")[0] for problem in invalid.value.problems] == [
        "version", "entries[0].columns[0].prices.images", "entries[0].columns[1].hours[0].from", "nothing",
    ]  # fmt: skip


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "entries",
                        "provider",
                        "columns",
                        "prices",
                        "input_tokens",
                        "usd",
                        "hours",
                        "from",
                        "days",
                        "prompt_tiers",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_whatever_json_says_is_a_card_or_a_list_of_problems(values):
    with pytest.raises(CardInvalid) as invalid:
        read_card(json.dumps(values))
    assert all(": " in problem for problem in invalid.value.problems)


def test_the_file_of_these_tests_is_a_good_one():
    card = read_card(json.dumps(GOOD))
    assert card.entries[0].columns[0].prices[Measure(UsageKind.OUTPUT_TOKENS)] == UnitPrice(2 * 10**18, "x")


@given(cards())
def test_a_card_is_read_as_it_was_written(card):
    checked(card)
    text = card_text(card)
    assert read_card(text) == card
    assert card_text(read_card(text)) == text


@given(cards(), st.randoms(use_true_random=False))
def test_equal_cards_have_equal_texts(card, random):
    shuffled = {
        name: random.sample(getattr(card, name), len(getattr(card, name))) for name in ("entries", "aliases", "markups")
    }
    tiers = dict(reversed(card.service_tier_aliases.items()))
    other = replace(card, service_tier_aliases=tiers, **{name: tuple(parts) for name, parts in shuffled.items()})
    assert card_text(other) == card_text(card)


def test_the_text_of_a_card():
    entry = Entry(
        "p",
        "m",
        (
            Column(
                {
                    Measure(UsageKind.OUTPUT_TOKENS): UnitPrice(15 * 10**12),
                    Measure(UsageKind.INPUT_TOKENS): UnitPrice(3 * 10**12, "x"),
                }
            ),
        ),
    )
    card = replace(by_hand(), entries=(entry,), aliases=(), markups=())
    assert card_text(card) == (
        '{\n"format": 1,\n"version": "hand-1",\n"effective_time": "2026-11-30T00:00:00Z",\n"source": {"name": "by '
        'hand"},\n"markup_ppm": 150000,\n'
        '"service_tier_aliases": {"fast": "priority"},\n"markups": [],\n"aliases": [],\n"entries": [\n'
        '{"columns": [{"prices": {"input_tokens": {"fallback": "x", "usd": "0.000003"}, "output_tokens": {"usd": '
        '"0.000015"}}}], "model": "m", "provider": "p"}]\n}\n'
    )  # fmt: skip


@given(st.decimals(0, 1_000_000, places=18))
def test_a_number_of_the_file_is_exact(value):
    """As text and as a number of JSON; a float would keep seventeen digits at most."""
    for written in (f'"{value:f}"', f"{value:f}"):
        card = read_card(changed(PRICE, {"usd": "HERE"}).replace('"HERE"', written))
        assert Decimal(card.entries[0].columns[0].prices[Measure(UsageKind.INPUT_TOKENS)].usd_e18).scaleb(-18) == value


def test_an_example_by_hand():
    card = by_hand()
    assert read_card(card_text(card)) == card_in_order(card)
    assert json.loads(BY_HAND)["version"] == card.version


def card_in_order(card):
    by_name = {
        "entries": lambda e: (e.provider, e.model),
        "aliases": lambda a: (a.provider, a.name),
        "markups": lambda m: (m.provider, m.model),
    }
    return replace(card, **{name: tuple(sorted(getattr(card, name), key=key)) for name, key in by_name.items()})
