"""A usage is checked before it is priced: refusals first, each naming its field."""

import pytest

from billing_service.domain.catalogue.usage_kinds import Measure, UsageKind, measure_of_word
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.usage import ATTRIBUTES_MAX, LINES_MAX, Usage, UsageLine, usage_of

K = UsageKind
GOOD = {"provider": "openai", "model": "gpt-5", "lines": [(K.INPUT_TOKENS, "", 1)]}

WIRE = {
    "INPUT_TOKENS": 1,
    "CACHED_INPUT_TOKENS": 2,
    "CACHE_WRITE_TOKENS": 3,
    "OUTPUT_TOKENS": 4,
    "REASONING_TOKENS": 5,
    "INPUT_AUDIO_TOKENS": 6,
    "CACHED_AUDIO_TOKENS": 7,
    "OUTPUT_AUDIO_TOKENS": 8,
    "INPUT_IMAGE_TOKENS": 9,
    "CACHED_IMAGE_TOKENS": 10,
    "OUTPUT_IMAGE_TOKENS": 11,
    "IMAGES": 12,
    "SECONDS": 13,
    "REQUESTS": 14,
    "UNITS": 15,
}
IN_THE_PROMPT = {1, 2, 3, 6, 7, 9, 10}
VARIANT_OF_ALL = {K.CACHE_WRITE_TOKENS: "1h", K.SECONDS: "in", K.UNITS: "pages"}

REFUSED = [
    ({"provider": ""}, "usage.provider", "is required"),
    ({"model": ""}, "usage.model", "is required"),
    ({"provider": "p" * 257}, "usage.provider", "257 characters"),
    ({"model": "m" * 257}, "usage.model", "257 characters"),
    ({"model": "gpt\n5"}, "usage.model", "not printable"),
    ({"service_tier": "t" * 257}, "usage.service_tier", "257 characters"),
    ({"service_tier": "\x00"}, "usage.service_tier", "not printable"),
    ({"lines": []}, "usage.lines", "USAGE_EMPTY"),
    ({"lines": [(4, "", 0)]}, "usage.lines", "USAGE_EMPTY"),
    ({"lines": [(1, "", 1), (0, "", 1)]}, "usage.lines[1].kind", "0 is no kind"),
    ({"lines": [(16, "", 1)]}, "usage.lines[0].kind", "16 is no kind"),
    ({"lines": [(-1, "", 1)]}, "usage.lines[0].kind", "-1 is no kind"),
    ({"lines": [(1, "5m", 1)]}, "usage.lines[0].variant", "has no variants"),
    ({"lines": [(3, "2h", 1)]}, "usage.lines[0].variant", "5m, 30m, 1h, 12h"),
    ({"lines": [(13, "", 1)]}, "usage.lines[0].variant", "in, out"),
    ({"lines": [(15, "", 1)]}, "usage.lines[0].variant", "name of a unit"),
    ({"lines": [(15, "Web Searches", 1)]}, "usage.lines[0].variant", "name of a unit"),
    ({"lines": [(15, "a" * 65, 1)]}, "usage.lines[0].variant", "name of a unit"),
    ({"lines": [(1, "", -1)]}, "usage.lines[0].quantity", "from 0 to 1000000000000"),
    ({"lines": [(1, "", 10**12 + 1)]}, "usage.lines[0].quantity", "from 0 to 1000000000000"),
    ({"lines": [(1, "", 1.0)]}, "usage.lines[0].quantity", "whole number"),
    ({"lines": [(1, "", True)]}, "usage.lines[0].quantity", "whole number"),
    ({"lines": [(1, "", 5), (1, "", 6)]}, "usage.lines[1].kind", "input_tokens is there twice"),
    ({"lines": [(1, "", 0), (1, "", 6)]}, "usage.lines[1].kind", "twice"),
    ({"lines": [(3, "", 5), (3, "5m", 6)]}, "usage.lines[1].kind", "cache_write_tokens:5m is there twice"),
    ({"lines": [(15, f"u{n}", 1) for n in range(LINES_MAX + 1)]}, "usage.lines", f"more than {LINES_MAX} lines"),
    ({"attributes": {"": "x"}}, "usage.attributes", "without a name"),
    ({"attributes": {"a": "x" * 257}}, "usage.attributes.a", "257 characters"),
    ({"attributes": {"a" * 257: "x"}}, "usage.attributes", "257 characters"),
    ({"attributes": {"a": "\x7f"}}, "usage.attributes.a", "not printable"),
    ({"attributes": {f"a{n}": "x" for n in range(ATTRIBUTES_MAX + 1)}}, "usage.attributes", "more than"),
    ({"provider_cost_usd": "0"}, "usage.provider_cost_usd", "above 0"),
    ({"provider_cost_usd": "1000.000000000000000001"}, "usage.provider_cost_usd", "at most 1000"),
    ({"provider_cost_usd": "0.0000000000000000001"}, "usage.provider_cost_usd", "more than 18 decimals"),
    ({"provider_cost_usd": "-1"}, "usage.provider_cost_usd", "without sign"),
    ({"provider_cost_usd": "1e-3"}, "usage.provider_cost_usd", "without sign and exponent"),
    ({"provider_cost_usd": "NaN"}, "usage.provider_cost_usd", "decimal number"),
    ({"provider_cost_usd": "\u0661"}, "usage.provider_cost_usd", "decimal number"),
]


@pytest.mark.parametrize(("change", "field", "words"), REFUSED)
def test_a_field_that_is_wrong_is_named(change, field, words):
    with pytest.raises(Refusal) as refused:
        usage_of(**GOOD | change)
    assert refused.value.reason is Reason.INVALID_FIELD
    assert [name for name, _ in refused.value.violations] == [field]
    assert words in refused.value.message


def test_the_field_is_named_under_its_parent():
    with pytest.raises(Refusal) as refused:
        usage_of(**GOOD | {"model": ""}, field="deductions[3].usage")
    assert refused.value.violations[0][0] == "deductions[3].usage.model"


def test_lines_are_sorted_and_those_of_nothing_dropped():
    usage = usage_of(
        provider="p", model="m", lines=[(15, "pages", 3), (3, "1h", 2), (4, "", 0), (3, "", 7), (1, "", 10**12)]
    )
    assert usage.lines == (
        UsageLine(Measure(K.INPUT_TOKENS), 10**12),
        UsageLine(Measure(K.CACHE_WRITE_TOKENS, "1h"), 2),
        UsageLine(Measure(K.CACHE_WRITE_TOKENS, "5m"), 7),
        UsageLine(Measure(K.UNITS, "pages"), 3),
    )


def test_the_order_of_what_a_caller_sends_makes_no_difference():
    lines, attributes = [(1, "", 5), (4, "", 6)], {"b": "2", "a": "1", "c": ""}
    one = usage_of(provider="p", model="m", lines=lines, attributes=attributes)
    other = usage_of(provider="p", model="m", lines=reversed(lines), attributes=dict(reversed(attributes.items())))
    assert one == other
    assert one.attributes == (("a", "1"), ("b", "2"))


def test_a_provider_s_own_cost_is_a_usage_without_lines():
    usage = usage_of(provider="openrouter", model="auto", lines=[], provider_cost_usd="0.000000000000000001")
    assert usage == Usage("openrouter", "auto", (), provider_cost_e18=1)
    assert usage_of(provider="p", model="m", lines=[], provider_cost_usd="1000").provider_cost_e18 == 1000 * 10**18


def test_kinds_have_the_numbers_of_the_wire():
    assert {kind.name: kind.value for kind in K} == WIRE


@pytest.mark.parametrize("kind", K)
def test_what_counts_for_the_size_of_a_prompt(kind):
    usage = usage_of(provider="p", model="m", lines=[(kind, VARIANT_OF_ALL.get(kind, ""), 7)])
    assert usage.prompt_tokens == (7 if kind in IN_THE_PROMPT else 0)


def test_all_parts_of_a_prompt_add_up():
    usage = usage_of(
        provider="p", model="m", lines=[(kind, "", 10**kind) for kind in sorted(IN_THE_PROMPT)] + [(3, "12h", 5)]
    )
    assert usage.prompt_tokens == sum(10**kind for kind in IN_THE_PROMPT) + 5


@pytest.mark.parametrize(
    "word",
    [
        "",
        "tokens",
        "INPUT_TOKENS",
        "input_tokens:x",
        "cache_write_tokens:2h",
        "seconds",
        "units",
        "units:A",
        "input_tokens ",
    ],
)
def test_a_word_of_no_measure(word):
    with pytest.raises(ValueError, match=r"kind|variant|unit"):
        measure_of_word(word)


@pytest.mark.parametrize("kind", K)
def test_words_of_measures_lead_back(kind):
    measure = Measure(kind, VARIANT_OF_ALL.get(kind, ""))
    assert measure_of_word(measure.word) == measure
