"""The card that comes with the service: today's common models, with no wide pattern, priced as litellm prices them."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest

from billing_service.domain.catalogue.rate_card_checks import CardInvalid
from billing_service.domain.catalogue.rate_card_text import card_text
from billing_service.domain.catalogue.rate_cards import Rule
from billing_service.domain.refusals import Refusal
from billing_service.rate_cards import FILE_BYTES_MAX, load_rate_card
from billing_service.rate_import.built_in import MODELS, OTHER_PROVIDERS, built_in_card
from tests.rate_import.price_samples import LITELLM_VERSION, NOW_S, cost_usd, loaded, priced

CARD = load_rate_card()


@pytest.mark.parametrize("name", ["unknown", "card.toml", "nowhere.json"])
def test_what_is_no_card(name):
    with pytest.raises(CardInvalid, match=r"^file: "):
        load_rate_card(name)


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path):
    with (tmp_path / "card.json").open("wb") as file:
        file.truncate(FILE_BYTES_MAX + 1)
    with pytest.raises(CardInvalid, match="is larger than"):
        load_rate_card(tmp_path / "card.json")


def test_its_file_is_as_the_service_writes_it(tmp_path):
    path = tmp_path / "copy.json"
    path.write_text(card_text(CARD), encoding="utf-8")
    assert load_rate_card(path) == CARD


def test_it_says_where_it_is_from_and_is_in_force():
    assert (CARD.source.name, CARD.source.version, CARD.version, CARD.markup_ppm) == (
        "litellm",
        LITELLM_VERSION,
        "built-in-2026-11-30",
        150_000,
    )
    assert CARD.effective_time_us <= datetime(2026, 11, 30, tzinfo=UTC).timestamp() * 1_000_000


def test_it_has_no_wide_pattern_and_every_model_that_it_is_for():
    assert CARD.wide_patterns() == []
    assert len(CARD.entries) > 150
    missing = [
        (provider, name)
        for provider, names in MODELS.items()
        for name in names.split()
        if CARD.find(provider, name) is None
    ]
    assert missing == []


@pytest.mark.parametrize(("other", "provider"), OTHER_PROVIDERS.items())
def test_providers_are_known_by_the_names_of_others_too(other, provider):
    for name in MODELS[provider].split():
        match = CARD.find(other, name)
        assert (match.entry, match.rule) == (CARD.find(provider, name).entry, Rule.ALIAS)


DATED = [
    ("gpt-5-2025-08-07", "gpt-5*"),
    ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
    ("gpt-4o-2024-08-06", "gpt-4o*"),
    ("gpt-5", "gpt-5*"),
]


@pytest.mark.parametrize(("name", "pattern"), DATED)
def test_a_dated_name_has_the_price_of_its_model_or_its_own(name, pattern):
    assert CARD.find("openai", name).entry.model == pattern


@pytest.mark.parametrize("name", ["gpt-5-ultra", "gpt-7", "gpt-5.4-turbo", "gpt-5-preview"])
def test_a_model_that_nobody_has_seen_yet_is_unknown(name):
    with pytest.raises(Refusal, match="has no model"):
        priced(CARD, {"provider": "openai", "model": name, "lines": {"input_tokens": 1}})


def test_it_prices_as_litellm_does():
    rows = [
        row
        for row in loaded("known_costs.json")
        if row["library"] == "litellm" and CARD.find(row["provider"], row["model"])
    ]
    assert len(rows) > 200
    assert [row for row in rows if cost_usd(priced(CARD, row)) != Fraction(row["usd"])] == []


EXAMPLES = [
    ("openai", "gpt-5", {"input_tokens": 1_000, "output_tokens": 500}, 718_750),
    ("openai", "gpt-5-mini", {"input_tokens": 7, "output_tokens": 1}, 432),
    (
        "anthropic",
        "claude-sonnet-4-5",
        {
            "input_tokens": 300,
            "cached_input_tokens": 600,
            "cache_write_tokens:5m": 60,
            "cache_write_tokens:1h": 40,
            "output_tokens": 500,
        },
        1_040_175,
    ),
    ("gemini", "gemini-2.5-pro", {"input_tokens": 200_000, "output_tokens": 1_000}, 29_900_000),
    ("gemini", "gemini-2.5-pro", {"input_tokens": 200_001, "output_tokens": 1_000}, 59_225_288),
    ("google", "gemini-2.5-pro", {"input_tokens": 200_001, "output_tokens": 1_000}, 59_225_288),
    ("openai", "whisper-1", {"seconds:in": 100_000}, 1_150_000),
]


@pytest.mark.parametrize(("provider", "model", "lines", "amount"), EXAMPLES)
def test_examples(provider, model, lines, amount):
    found = priced(CARD, {"provider": provider, "model": model, "lines": lines, "time_s": NOW_S})
    assert found.amount_microcredits == amount


def test_a_model_that_left_the_list_is_told():
    with pytest.raises(LookupError, match="no openai gpt-4o"):
        built_in_card(CARD)
