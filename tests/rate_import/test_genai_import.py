"""genai-prices' data become a card: what refuses a model, and what units, steps and variants mean."""

from datetime import date
from decimal import Decimal

import pytest

from billing_service.rate_import.genai_prices import import_genai_prices
from billing_service.rate_import.reports import ODD_SHAPE, Fate
from tests.rate_import.genai_models import PRICES, UNITS, columns, model, report_of
from tests.rate_import.price_samples import AS_OF, genai_report, loaded, shown

REFUSED = [
    (model(match={"contains": "mm"}), "no name that a card could have"),
    (model(match={"like": "m"}), "a clause that this importer does not know"),
    (model(match=None), "a clause that this importer does not know"),
    (model(name="m*"), "no name that a card could have"),
    (model(bonus=1), "bonus is a key that this importer does not know"),
    (model(prices={"smell_mtok": Decimal(1)}), "smell_mtok is a price of a unit that the data does not describe"),
    (model(prices={"input_tool_mtok": Decimal(1)}), "input_tool_tokens is a unit that no usage line counts"),
    (model(prices={"input_mtok": "1"}), "input_mtok is no price"),
    (model(prices={"input_mtok": Decimal(-1)}), "input_mtok is no price"),
    (model(prices={"input_mtok": {"base": Decimal(1)}}), "input_mtok is no price"),
    (
        model(prices={"input_mtok": {"base": Decimal(1), "tiers": [{"start": 0, "price": Decimal(2)}]}}),
        ("without a threshold above 0"),
    ),
    (model(prices=[]), "its prices are no prices"),
    (model(prices=7), "its prices are no prices"),
    (
        model(prices=[{"prices": PRICES}, {"constraint": {"moon": "full"}, "prices": PRICES}]),
        ("a condition that this importer does not know"),
    ),
    (model(prices=[{"prices": PRICES}, {"constraint": {"start_date": "soon"}, "prices": PRICES}]), ODD_SHAPE),
    (
        model(
            prices=[
                {"prices": PRICES},
                {"constraint": {"start_time": "01:00:00+02:00", "end_time": "02:00:00+02:00"}, "prices": PRICES},
            ]
        ),
        "hours that are not in UTC",
    ),
    (
        model(
            prices=[
                {"prices": PRICES},
                {"constraint": {"start_time": "01:00:00Z", "end_time": "02:00:00Z"}, "prices": PRICES},
            ],
            price_variants=[{"when": {"service_tier": "flex"}, "prices": PRICES}],
        ),
        "at once",
    ),
    (
        model(price_variants=[{"when": {"service_tier": "batch", "processing": None}, "prices": PRICES}]),
        ("a context that this importer does not know"),
    ),
    (
        model(price_variants=[{"when": {"service_tier": ""}, "prices": PRICES}]),
        ("a context that this importer does not know"),
    ),
    (
        model(prices={"input_mtok": {"base": 1, "tiers": [{"start": 10**12 + 1, "price": 2}]}}),
        ("a price above more than 1000000000000 tokens"),
    ),
    (model(prices={"audio_hours": Decimal("0.04")}), "has more than 18 decimals"),
]


@pytest.mark.parametrize(("values", "why"), REFUSED)
def test_a_model_that_can_not_be_priced_right_is_refused(values, why):
    report = report_of(values)
    outcome = report.outcomes[f"p/{values['id']}"]
    assert (outcome.fate, report.card.entries) == (Fate.REFUSED, ())
    assert why in outcome.why


def test_a_model_without_prices_is_unpriced_not_free():
    report = report_of(model(prices={}), model("n", prices={"input_mtok": Decimal(0)}))
    assert [report.outcomes[key].fate for key in ("p/m", "p/n")] == [Fate.UNPRICED, Fate.IMPORTED]


def test_fall_backs_by_the_dimensions_of_units():
    (column,) = columns(
        model(
            prices={
                "input_mtok": Decimal(1),
                "cache_read_mtok": Decimal("0.1"),
                "cache_write_mtok": Decimal("1.5"),
                "output_mtok": Decimal(2),
                "input_audio_mtok": Decimal(4),
                "cache_audio_read_mtok": Decimal("0.4"),
            }
        )
    )
    assert shown(column.prices) == {
        "input_tokens": ("0.000001", ""),
        "cached_input_tokens": ("0.0000001", ""),
        "cache_write_tokens:5m": ("0.0000015", ""),
        "cache_write_tokens:30m": ("0.0000015", "cache_write_tokens:5m"),
        "cache_write_tokens:1h": ("0.0000015", "cache_write_tokens:5m"),
        "output_tokens": ("0.000002", ""),
        "reasoning_tokens": ("0.000002", "output_tokens"),
        "input_audio_tokens": ("0.000004", ""),
        "cached_audio_tokens": ("0.0000004", ""),
        "output_audio_tokens": ("0.000002", "output_tokens"),
        "input_image_tokens": ("0.000001", "input_tokens"),
        "cached_image_tokens": ("0.0000001", "cached_input_tokens"),
        "output_image_tokens": ("0.000002", "output_tokens"),
    }


COUNTED = [
    ("requests_kcount", "12", "requests", "0.012"),
    ("web_searches_kcount", "10", "units:web_searches", "0.01"),
    ("storage_searches_kcount", "2.5", "units:file_searches", "0.0025"),
    ("social_searches_kcount", "5", "units:social_searches", "0.005"),
    ("rerank_searches_kcount", "2", "units:queries", "0.002"),
    ("code_executions_kcount", "3", "units:code_executions", "0.003"),
    ("input_mchars", "40", "units:input_characters", "0.00004"),
    ("input_text_messages_kcount", "4", "units:text_messages", "0.004"),
    ("input_document_kpages", "1", "units:pages", "0.001"),
    ("input_gpixels", "0.6", "units:input_pixels", "0.0000000006"),
    ("audio_hours", "0.36", "seconds:in", "0.0001"),
    ("output_audio_hours", "0.36", "seconds:out", "0.0001"),
    ("output_citation_mtok", "2", "units:citation_tokens", "0.000002"),
    ("input_video_mtok", "3", "units:input_video_tokens", "0.000003"),
]


@pytest.mark.parametrize(("key", "price", "word", "usd"), COUNTED)
def test_units(key, price, word, usd):
    (column,) = columns(model(prices={key: Decimal(price)}))
    assert shown(column.prices)[word] == (usd, "")


def test_steps_of_several_prices_are_tiers_of_all():
    steps = {
        "input_mtok": {
            "base": Decimal(1),
            "tiers": [{"start": 200, "price": Decimal(3)}, {"start": 100, "price": Decimal(2)}],
        },
        "output_mtok": {"base": Decimal(5), "tiers": [{"start": 150, "price": Decimal(6)}]},
        "input_video_mtok": Decimal(9),
    }
    (column,) = columns(model(prices=steps))
    found = [
        (tier.above_tokens, shown(tier.prices)["input_tokens"][0], shown(tier.prices)["output_tokens"][0])
        for tier in column.prompt_tiers
    ]
    assert found == [(100, "0.000002", "0.000005"), (150, "0.000002", "0.000006"), (200, "0.000003", "0.000006")]
    assert "units:input_video_tokens" not in shown(column.prices)


def dated(*starts):
    return [
        {"prices": {"input_mtok": Decimal(0)}},
        *(
            {"constraint": {"start_date": start}, "prices": {"input_mtok": Decimal(number)}}
            for number, start in enumerate(starts, 1)
        ),
    ]


@pytest.mark.parametrize(
    ("starts", "price"),
    [
        ([], "0"),
        (["2026-11-30"], "0.000001"),
        (["2026-12-01"], "0"),
        (["2026-01-01", "2026-02-01"], "0.000002"),
        (["2026-02-01", "2026-01-01"], "0.000002"),
    ],
)
def test_dated_prices_are_those_of_the_day(starts, price):
    (column,) = columns(model(prices=dated(*starts)))
    assert shown(column.prices)["input_tokens"][0] == price


def test_another_day_has_other_prices():
    report = import_genai_prices(
        [{"id": "p", "models": [model(prices=dated("2027-01-01"))]}],
        UNITS,
        library_version="1",
        card_version="v",
        effective_time_us=0,
        as_of=date(2027, 1, 1),
    )
    assert shown(report.card.entries[0].columns[0].prices)["input_tokens"][0] == "0.000001"
    assert report.card.source.version == "1, prices of 2027-01-01"


def test_hours_of_which_the_last_that_holds_counts():
    prices = [
        {"prices": {"input_mtok": Decimal(1)}},
        {"constraint": {"start_time": "22:00:00Z", "end_time": "04:00:00Z"}, "prices": {"input_mtok": Decimal(2)}},
        {"constraint": {"start_time": "03:00:00+00:00", "end_time": "05:00:00"}, "prices": {"input_mtok": Decimal(3)}},
    ]
    plain, last, first = columns(model(prices=prices))
    assert [shown(column.prices)["input_tokens"][0] for column in (plain, last, first)] == [
        "0.000001",
        "0.000003",
        "0.000002",
    ]
    assert [(hours.from_s, hours.until_s) for hours in last.hours] == [(10_800, 18_000)]
    assert [(hours.from_s, hours.until_s) for hours in first.hours] == [(0, 10_800), (79_200, 86_400)]


VARIANTS = [
    {"when": {"service_tier": "default"}, "prices": {}},
    {
        "when": {"service_tier": "flex"},
        "prices": {"input_mtok": Decimal("0.5")},
        "constraint": {"start_date": "2026-01-01"},
    },
    {"when": {"service_tier": "flex"}, "prices": {"input_mtok": Decimal(7), "output_mtok": Decimal(8)}},
    {
        "when": {"service_tier": "later"},
        "prices": {"input_mtok": Decimal(9)},
        "constraint": {"start_date": "2027-01-01"},
    },
    {"when": {"processing": "batch"}, "prices": {"output_mtok": Decimal(1)}},
    {"when": {"speed": "fast"}, "prices": {"input_mtok": Decimal(6)}},
    {"when": {"search_type": "web"}, "prices": {}},
]


def test_variants_are_tiers_and_attributes_and_borrow_the_rest():
    report = report_of(model(price_variants=VARIANTS))
    (entry,) = report.card.entries
    found = {(column.service_tier, column.attributes): shown(column.prices) for column in entry.columns}
    assert set(found) == {("", ()), ("flex", ()), ("batch", ()), ("", (("speed", "fast"),))}
    assert [found["flex", ()][word] for word in ("input_tokens", "output_tokens", "reasoning_tokens")] == [
        ("0.0000005", ""),
        ("0.000008", ""),
        ("0.000008", "output_tokens"),
    ]
    assert [found["batch", ()][word] for word in ("input_tokens", "output_tokens")] == [
        ("0.000001", "standard tier"),
        ("0.000001", ""),
    ]
    assert entry.neutral_attributes == (("search_type", "web"),)


def test_a_rule_of_the_library_that_its_data_do_not_say():
    report = report_of(
        model("whisper-large-v3", prices={"audio_hours": Decimal("0.36"), "input_mtok": Decimal(1)}), provider="groq"
    )
    assert "seconds:in" not in shown(report.card.entries[0].columns[0].prices)
    assert "at least ten seconds" in report.outcomes["groq/whisper-large-v3"].omitted[0]


def test_every_model_of_the_sample_has_one_fate():
    sample = loaded("genai_sample.json")
    report = genai_report(sample["providers"], sample["units"])
    assert {fate: report.count(fate) for fate in Fate} == {
        Fate.IMPORTED: 40,
        Fate.ALIAS: 0,
        Fate.DUPLICATE: 0,
        Fate.REFUSED: 3,
        Fate.UNPRICED: 2,
    }
    assert len(report.outcomes) == sum(len(provider["models"]) for provider in sample["providers"])
    assert AS_OF.isoformat() in report.card.source.version
