"""Terms are read back as they were kept; a text that is none says which field is wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.promotions.referrals import ReferralPolicy
from billing_service.domain.sales.terms import SaleTerms, SaleTermsInvalid

AMOUNTS = st.integers(0, 10**18)
POLICIES = st.builds(ReferralPolicy, AMOUNTS, st.none() | AMOUNTS, st.none() | AMOUNTS, AMOUNTS)
TERMS = SaleTerms(True, "price_1", ReferralPolicy(1_000_000_000, 1_000, None, 0))
KEPT = json.loads(TERMS.encode())


@given(st.builds(SaleTerms, st.booleans(), st.none() | st.text(max_size=255), POLICIES))
def test_what_was_kept_is_read_back(terms):
    assert SaleTerms.decode(terms.encode()) == terms


def test_the_text_is_what_databases_hold():
    """Rows of this text exist: a field may be added, none may change."""
    assert TERMS.encode() == (
        '{"promotion_codes_allowed":true,"stripe_price_id":"price_1","referral":{"bonus_microcredits":1000000000,'
        '"minimum_purchase_minor":1000,"rewarded_max":null,"vesting_delay_us":0}}'
    )


def test_fields_of_a_newer_program_are_passed_over():
    newer = KEPT | {"surcharge_minor": 5, "referral": KEPT["referral"] | {"tiers": []}}
    assert SaleTerms.decode(json.dumps(newer)) == TERMS


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"promotion_codes_allowed": None}, "promotion_codes_allowed"),
        ({"promotion_codes_allowed": 1}, "promotion_codes_allowed"),
        ({"stripe_price_id": 7}, "stripe_price_id"),
        ({"referral": None}, "referral"),
        ({"referral": []}, "referral"),
        ({"referral": {}}, "bonus_microcredits"),
        ({"referral": KEPT["referral"] | {"bonus_microcredits": -1}}, "bonus_microcredits"),
        ({"referral": KEPT["referral"] | {"bonus_microcredits": True}}, "bonus_microcredits"),
        ({"referral": KEPT["referral"] | {"minimum_purchase_minor": 9.5}}, "minimum_purchase_minor"),
        ({"referral": KEPT["referral"] | {"minimum_purchase_minor": "9"}}, "minimum_purchase_minor"),
        ({"referral": KEPT["referral"] | {"rewarded_max": "5"}}, "rewarded_max"),
        ({"referral": KEPT["referral"] | {"vesting_delay_us": None}}, "vesting_delay_us"),
    ],
)
def test_a_wrong_field_is_named(changed, named):
    with pytest.raises(SaleTermsInvalid, match=named):
        SaleTerms.decode(json.dumps(KEPT | changed))


@pytest.mark.parametrize("field", [*KEPT, *KEPT["referral"]])
def test_a_missing_field_is_named(field):
    without = {name: value for name, value in KEPT.items() if name != field}
    without["referral"] = {name: value for name, value in KEPT["referral"].items() if name != field}
    if field == "referral":
        del without["referral"]
    with pytest.raises(SaleTermsInvalid, match=field):
        SaleTerms.decode(json.dumps(without))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '"terms"'])
def test_a_text_that_is_no_terms(text):
    with pytest.raises(SaleTermsInvalid):
        SaleTerms.decode(text)
