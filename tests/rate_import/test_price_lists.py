"""Prices on the way into a card: products are exact, and what is too fine for a card leaves a gap, never another
price."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.catalogue.moments import Hours
from billing_service.domain.catalogue.rate_cards import Entry
from billing_service.rate_import.price_lists import (
    INPUT,
    OUTPUT,
    ColumnRates,
    Rate,
    checked_entry,
    column,
    product,
    why_nothing_is_left,
)
from billing_service.rate_import.reports import NotImportableError

NUMBERS = st.integers(0, 10**20) | st.decimals(0, 10**6, places=25)
TOO_FINE = Decimal("0.0000000000000000001")


@given(NUMBERS, st.decimals(0, 100, places=20))
def test_a_product_has_every_digit(usd, multiplier):
    assert Fraction(product(usd, multiplier)) == Fraction(usd) * Fraction(multiplier)


def test_a_price_that_is_too_fine_leaves_a_gap():
    omitted = []
    rates = ColumnRates(
        {INPUT: Rate(1), OUTPUT: Rate(TOO_FINE)}, "flex", (("region", "us"),), above=((9, {INPUT: Rate(TOO_FINE)}),)
    )
    made = column(rates, omitted)
    assert (list(made.prices), [(tier.above_tokens, dict(tier.prices)) for tier in made.prompt_tiers]) == (
        [INPUT],
        [(9, {})],
    )
    assert omitted == [
        "flex region=us output_tokens: 1E-19 USD has more than 18 decimals",
        "flex region=us above 9 input_tokens: 1E-19 USD has more than 18 decimals",
    ]


def test_a_column_of_which_nothing_is_left_is_none_and_hours_are_no_gap():
    assert column(ColumnRates({INPUT: Rate(1, per=3)}), []) is None
    with pytest.raises(NotImportableError, match="some hours"):
        column(ColumnRates({INPUT: Rate(TOO_FINE)}, hours=(Hours(0, 1),)), [])


@pytest.mark.parametrize(
    ("omitted", "why"),
    [
        ([], "no price at the standard tier"),
        (["a: 1 USD has more than 18 decimals"], "its price has more than 18 decimals"),
        (["seconds: no", "b: x"], "no"),
    ],
)
def test_why_nothing_is_left(omitted, why):
    assert why_nothing_is_left(omitted) == why


def test_an_entry_that_contradicts_itself():
    with pytest.raises(NotImportableError, match="its data contradict themselves at columns: at least one"):
        checked_entry(Entry("p", "m"))
