"""An amount counts in the currency that it was stated in, and in no other."""

import pytest

from billing_service.domain.catalogue.packages import CustomAmounts
from billing_service.domain.catalogue.stated_amounts import StatedAmounts

DEFAULTS = CustomAmounts(100, 1_000_000, 1_000_000)
EUROS = StatedAmounts("eur", 90, 900_000, 1_080_000, 950)


@pytest.mark.parametrize(
    ("stated", "currency", "custom", "referral_minimum"),
    [
        (StatedAmounts("usd"), "usd", DEFAULTS, 1_000),
        (StatedAmounts("usd", 200), "usd", CustomAmounts(200, 1_000_000, 1_000_000), 1_000),
        (StatedAmounts("usd", None, 500, 2, 0), "usd", CustomAmounts(100, 500, 2), 0),
        *(
            (StatedAmounts("usd", 200, 500, 2, 7), currency, None, None)
            for currency in ("eur", "inr", "krw", "kwd", "cad")
        ),
        *((StatedAmounts("usd"), currency, None, None) for currency in ("eur", "inr", "krw", "kwd", "cad")),
        (EUROS, "eur", CustomAmounts(90, 900_000, 1_080_000), 950),
        (EUROS, "usd", None, None),
        (EUROS, "chf", None, None),
        (StatedAmounts("inr"), "inr", None, None),
        (StatedAmounts("inr", referral_min_minor=85_000), "inr", None, 85_000),
        (StatedAmounts("inr", 8_500, 8_500_000, 11_765), "inr", CustomAmounts(8_500, 8_500_000, 11_765), None),
    ],
)
def test_what_is_on(stated, currency, custom, referral_minimum):
    assert (stated.custom_amounts(currency), stated.referral_minimum(currency)) == (custom, referral_minimum)
    assert stated.faults() == []


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        (StatedAmounts("usd", 101, 100), ["custom_min_minor"]),
        (StatedAmounts("usd", 1_000_001), ["custom_min_minor"]),
        (StatedAmounts("usd", None, 99), ["custom_min_minor"]),
        (StatedAmounts("usd", microcredits_per_minor=10**9 + 1), ["microcredits_per_minor"]),
        (StatedAmounts("eur", 1), ["custom_max_minor", "microcredits_per_minor"]),
        (StatedAmounts("eur", None, 9, 9), ["custom_min_minor"]),
        (StatedAmounts("eur", 5, 4, 9), ["custom_min_minor"]),
        (StatedAmounts("eur", 5, 10**8, 10**8), ["microcredits_per_minor"]),
    ],
)
def test_amounts_that_contradict_are_named(stated, named):
    assert [field for field, _ in stated.faults()] == named
