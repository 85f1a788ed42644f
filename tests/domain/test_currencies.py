"""Amounts go in the steps that Stripe takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.catalogue.currencies import (
    THREE_DECIMAL,
    WHOLE_UNITS_AS_CENTS,
    ZERO_DECIMAL,
    amount_step_minor,
    require_step,
    round_down_to_step,
)
from billing_service.domain.refusals import Refusal

STEPS = {
    "usd": 1,
    "eur": 1,
    "inr": 1,
    "jpy": 1,
    "krw": 1,
    "huf": 1,
    "twd": 1,
    "kwd": 10,
    "bhd": 10,
    "jod": 10,
    "omr": 10,
    "tnd": 10,
}
STEPS |= {"isk": 100, "ugx": 100}
CURRENCIES = st.sampled_from(sorted(STEPS))
AMOUNTS = st.integers(0, 10**15)


def test_no_currency_is_of_two_kinds():
    assert not ZERO_DECIMAL & THREE_DECIMAL
    assert not WHOLE_UNITS_AS_CENTS & (ZERO_DECIMAL | THREE_DECIMAL)


@pytest.mark.parametrize(("currency", "step_minor"), STEPS.items())
def test_the_step_of_a_currency(currency, step_minor):
    assert amount_step_minor(currency) == step_minor


@given(AMOUNTS, CURRENCIES)
def test_rounding_goes_down_to_the_next_step_and_no_further(amount_minor, currency):
    rounded = round_down_to_step(amount_minor, currency)
    assert rounded % STEPS[currency] == 0
    assert rounded <= amount_minor < rounded + STEPS[currency]
    assert round_down_to_step(rounded, currency) == rounded


@given(AMOUNTS, CURRENCIES)
def test_an_amount_off_the_step_is_refused_by_name(amount_minor, currency):
    if round_down_to_step(amount_minor, currency) == amount_minor:
        require_step("amount_minor", amount_minor, currency)
        return
    with pytest.raises(Refusal) as caught:
        require_step("amount_minor", amount_minor, currency)
    assert caught.value.violations == (("amount_minor", f"must be a multiple of {STEPS[currency]} in {currency!r}"),)
