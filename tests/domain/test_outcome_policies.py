"""What a call costs that did not end as it should: refusals of the setting first, then the table."""

import pytest

from billing_service.domain.catalogue.usage_kinds import Measure, UsageKind
from billing_service.domain.spending.outcome_policies import (
    DEFAULT_CHARGES,
    Charge,
    GenerationOutcome,
    Measurement,
    OutcomePolicies,
    input_of,
    is_input,
    measured,
    parse_policies,
)
from billing_service.domain.spending.usage import usage_of
from tests.support.rate_card_examples import MEASURES

K, Ended, C, M = UsageKind, GenerationOutcome, Charge, Measurement


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("openai/gpt-5 cut", "entry 1 is not PROVIDER/MODEL OUTCOME CHARGE"),
        ("openai/gpt-5 cut release, openai/gpt-5 cut release now", "entry 2 is not PROVIDER/MODEL OUTCOME CHARGE"),
        ("gpt-5 cut release", "entry 1 does not begin with PROVIDER/MODEL"),
        ("/gpt-5 cut release", "entry 1 does not begin with PROVIDER/MODEL"),
        ("openai/ cut release", "entry 1 does not begin with PROVIDER/MODEL"),
        ("openai/gpt-*-mini cut release", "entry 1 has a \\* that is not at the model's end"),
        ("open*/gpt-5 cut release", "entry 1 has a \\* that is not at the model's end"),
        ("openai/gpt-5 broken release", "entry 1 names no outcome; there are complete, refused, rate_limited"),
        ("openai/gpt-5 cut free", "entry 1 names no charge; there are release, charge_input, charge_streamed"),
        ("a/b cut release, a/c cut release, a/b cut charge_input", "entry 3 is for the same as entry 1"),
        ("*/* complete release", "entry 1: a complete call is charged for its usage"),
        ("*/* complete charge_input", "entry 1: a complete call is charged for its usage"),
    ],
)
def test_a_setting_that_says_something_else_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        parse_policies(text)


@pytest.mark.parametrize(
    ("outcome", "charge", "measurement"),
    [
        (Ended.COMPLETE, C.STREAMED, M.MEASURED),
        (Ended.REFUSED, C.RELEASE, M.MEASURED),
        (Ended.RATE_LIMITED, C.RELEASE, M.MEASURED),
        (Ended.PROVIDER_FAILED, C.RELEASE, M.MEASURED),
        (Ended.TIMED_OUT, C.RELEASE, M.ESTIMATED),
        (Ended.CUT, C.STREAMED, M.ESTIMATED),
        (Ended.ENDED_EARLY, C.STREAMED, M.ESTIMATED),
        (Ended.CANCELED, C.STREAMED, M.ESTIMATED),
        (Ended.EMPTY, C.INPUT, M.MEASURED),
        (Ended.FILTERED, C.INPUT, M.MEASURED),
        (Ended.STOPPED_BY_LENGTH, C.STREAMED, M.MEASURED),
        (Ended.COMPLETE_WITHOUT_USAGE, C.STREAMED, M.ESTIMATED),
        (Ended.RETRIED, C.STREAMED, M.MEASURED),
    ],
)
def test_each_outcome_has_its_default(outcome, charge, measurement):
    assert OutcomePolicies().charge_of("p", "m", outcome) is charge
    assert measured(outcome, M.MEASURED) is measurement
    assert measured(outcome, M.ESTIMATED) is M.ESTIMATED


def test_no_outcome_is_without_a_default():
    assert set(DEFAULT_CHARGES) == set(Ended)


def test_the_most_exact_entry_decides():
    policies = parse_policies(
        "*/* cut release, */gpt-5 cut charge_streamed, openai/* cut charge_input, openai/gpt-5* cut release,"
        " openai/gpt-5 cut charge_streamed, openai/gpt-5 empty release,"
    )
    of_cut = {
        ("openai", "gpt-5"): C.STREAMED,
        ("openai", "gpt-5-mini"): C.RELEASE,
        ("openai", "o3"): C.INPUT,
        ("azure", "gpt-5"): C.STREAMED,
        ("azure", "gpt-5-mini"): C.RELEASE,
    }
    assert {named: policies.charge_of(*named, Ended.CUT) for named in of_cut} == of_cut
    assert policies.charge_of("openai", "gpt-5", Ended.EMPTY) is C.RELEASE
    assert policies.charge_of("openai", "o3", Ended.EMPTY) is C.INPUT, "other outcomes keep their defaults"


def test_every_measure_is_input_or_not():
    made = {each.word for each in MEASURES if not is_input(each)}
    assert made == {
        "output_tokens", "reasoning_tokens", "output_audio_tokens", "output_image_tokens", "images", "seconds:out",
        "units:pages", "units:a", "units:x_1",
    }  # fmt: skip
    assert is_input(Measure(K.SECONDS, "in"))


def test_the_input_of_a_usage():
    whole = usage_of(provider="p", model="m", lines=[(K.INPUT_TOKENS, "", 7), (K.OUTPUT_TOKENS, "", 9)])
    assert [(line.measure.kind, line.quantity) for line in input_of(whole).lines] == [(K.INPUT_TOKENS, 7)]
    assert input_of(usage_of(provider="p", model="m", lines=[(K.OUTPUT_TOKENS, "", 9)])) is None
    costed = usage_of(provider="p", model="m", lines=[(K.OUTPUT_TOKENS, "", 9)], provider_cost_usd="0.1")
    assert input_of(costed).provider_cost_e18 == 10**17
