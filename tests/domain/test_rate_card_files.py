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
from tests.domain.rate_card_faults import FAULTS, GOOD, MORE_FOLLOWS, PRICE, changed
from tests.support.rate_card_examples import BY_HAND, by_hand, cards


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
