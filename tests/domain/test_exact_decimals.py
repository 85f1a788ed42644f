"""Decimals become whole numbers of a small unit exactly, or not at all."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing_service.domain.catalogue.exact_decimals import NotExactError, decimal_text, price_e18, scaled

WRONG = [
    "",
    " 1",
    "1 ",
    "+1",
    "-1",
    "1e-6",
    "1.",
    ".5",
    "1,5",
    "NaN",
    "Infinity",
    "1_000",
    "\u0663",
    "0x1",
    "1" * 21,
    "0." + "1" * 41,
]
WRONG_VALUES = [
    Decimal("NaN"),
    Decimal("Infinity"),
    Decimal(-1),
    Decimal("1e60"),
    Decimal("1e999999"),
    Decimal("1" * 61),
    10**60,
    True,
    None,
    1.5,
    -1,
]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_plain_decimal(text):
    with pytest.raises(ValueError, match=r"without sign and exponent"):
        scaled(text)


@pytest.mark.parametrize("value", WRONG_VALUES, ids=str)
def test_what_is_no_exact_number(value):
    with pytest.raises(ValueError, match=r"finite|digits|decimal number"):
        scaled(value)


@pytest.mark.parametrize(
    "value", ["0.0000000000000000001", Decimal("1.0000000000000000001"), Decimal("1e-19"), Decimal("1e-999999")]
)
def test_one_decimal_too_many(value):
    with pytest.raises(NotExactError, match="more than 18 decimals"):
        scaled(value)


@pytest.mark.parametrize(
    ("value", "per", "e18"),
    [
        ("1.25", 1_000_000, 1_250_000_000_000),
        (Decimal("1.25E-6"), 1, 1_250_000_000_000),
        ("0.000000000000000001", 1, 1),
        ("0.000001", 10**12, 1),
        ("0.0000000000000000010", 1, 1),
        (2, 1_000_000, 2_000_000_000_000),
        ("0", 1, 0),
        (Decimal("0.36"), 3600, 10**14),
        (1_000_000, 1, 10**24),
        (Decimal("0E-999999"), 1, 0),
        (Decimal("1." + "0" * 100), 1, 10**18),
    ],
)
def test_prices(value, per, e18):
    assert price_e18(value, per=per) == e18


@pytest.mark.parametrize(("value", "per"), [("0.04", 3600), ("0.0833333333333333", 1_000_000), ("0.000001", 10**13)])
def test_a_price_that_one_unit_does_not_have_exactly(value, per):
    with pytest.raises(NotExactError, match="for one unit"):
        price_e18(value, per=per)


def test_a_price_beyond_all_reason():
    with pytest.raises(ValueError, match="at most 1000000 USD"):
        price_e18("1000000.000000000000000001")


LONG_AND_SMALL = Decimal("9.999999999999999999999999999990E-31")


@given(st.decimals(0, 10**9, allow_nan=False, allow_infinity=False), st.integers(0, 30))
@example(LONG_AND_SMALL, 30)
@example(Decimal("1e-61"), 30)
@example(Decimal("0E-61"), 0)
def test_nothing_is_lost(value, decimals):
    try:
        found = scaled(value, decimals)
    except NotExactError:
        assert (Fraction(value) * 10**decimals).denominator != 1
    else:
        assert Fraction(found, 10**decimals) == Fraction(value)


@given(st.integers(0, 10**40), st.integers(0, 30))
def test_text_leads_back(value, decimals):
    text = decimal_text(value, decimals)
    assert Fraction(text) == Fraction(value, 10**decimals)
    assert not ("." in text and text.endswith(("0", ".")))


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(0, 18, "0"), (1, 18, "0.000000000000000001"), (10**18, 18, "1"), (15, 1, "1.5"), (7, 0, "7")],
)
def test_texts(value, decimals, text):
    assert decimal_text(value, decimals) == text
