"""What helps whoever is short of a usage's price: the longest answer that is affordable, and the cheapest package that
makes the deduction possible."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.catalogue.packages import Package, catalog_of
from billing_service.domain.catalogue.usage_kinds import Measure, UsageKind
from billing_service.domain.ledger.entries import Place, TransactionKind
from billing_service.domain.ledger.granting import grant, new_lot
from billing_service.domain.refusals import Refusal
from billing_service.domain.spending.affordable import advice, affordable_output_tokens
from billing_service.domain.spending.deductions import DeductionMode, Short, SpendingTerms, deduct
from billing_service.domain.spending.pricing import Price, PricedLine, TimeBasis
from tests.domain.ledger_model import NOW_US, PAID, account_with, lot
from tests.support.doubles import CountingIds

INPUT, OUTPUT = Measure(UsageKind.INPUT_TOKENS), Measure(UsageKind.OUTPUT_TOKENS)


def price_of(*lines, markup_ppm=150_000, provider_cost_e18=None):
    made = tuple(PricedLine(*line) for line in lines)
    return Price("v", "m", "", 0, made, provider_cost_e18, markup_ppm, TimeBasis.RECEIVED)


@pytest.mark.parametrize(
    "price",
    [
        price_of((INPUT, 5, 10**12)),
        price_of((INPUT, 5, 10**12), (OUTPUT, 9, 0)),
        price_of((OUTPUT, 9, 0), provider_cost_e18=10**16),
    ],
    ids=["no output", "free output", "the provider's cost"],
)
def test_where_a_shorter_answer_costs_the_same(price):
    assert affordable_output_tokens(price, 10**15) is None


@given(
    prompt=st.builds(PricedLine, st.just(INPUT), st.integers(0, 10**6), st.integers(0, 10**14)),
    answer_price=st.integers(1, 10**14),
    markup_ppm=st.integers(0, 10**6),
    budget=st.integers(0, 10**9),
)
def test_so_many_tokens_fit_and_one_more_does_not(prompt, answer_price, markup_ppm, budget):
    lines = (prompt.measure, prompt.quantity, prompt.unit_price_e18), (OUTPUT, 1, answer_price)
    price = price_of(*lines, markup_ppm=markup_ppm)
    tokens = affordable_output_tokens(price, budget)

    def cost(quantity):
        return replace(price, lines=(price.lines[0], PricedLine(OUTPUT, quantity, answer_price))).amount_microcredits

    assert tokens == 0 or cost(tokens) <= budget
    assert cost(tokens + 1) > budget


def package(code, credits_microcredits, price_minor, *, active=True, display_order=1):
    return Package(code, code, "", credits_microcredits, price_minor, "usd", active, display_order)


PACKAGES = [
    package("small", 10, 100),
    package("bargain", 50, 300),
    package("dear", 50, 400),
    package("retired", 1_000, 1, active=False),
    package("as good as the bargain", 60, 300, display_order=2),
    package("large", 100, 900),
]
CATALOG = catalog_of("usd", {each.code: each for each in PACKAGES})


@pytest.mark.parametrize(
    ("needed", "code"), [(1, "small"), (10, "small"), (11, "bargain"), (51, "as good as the bargain"), (61, "large")]
)
def test_the_cheapest_package_that_covers_what_is_needed(needed, code):
    found = advice(price_of((INPUT, 1, 10**12)), CATALOG, Short(0, needed))
    assert found == {"package_code": code}


def test_nothing_is_recommended_that_does_not_cover_it():
    assert advice(price_of((INPUT, 1, 10**12)), CATALOG, Short(0, 101)) == {}


TERMS = SpendingTerms(debt_max=8)


@given(
    left=st.integers(0, 20),
    debt=st.integers(0, 30),
    overdraft=st.integers(0, 20),
    amount=st.integers(1, 50),
    mode=st.sampled_from([DeductionMode.REJECT, DeductionMode.ALLOW_DEBT]),
)
def test_what_is_needed_is_enough_and_one_less_is_not(left, debt, overdraft, amount, mode):
    """A grant of it makes the deduction possible, debt that comes first included."""

    def account():
        return account_with(*[lot("lot_1", left)] if left else [], debt=debt, overdraft_limit=overdraft)

    def attempt(granted):
        tried, ids, said = account(), CountingIds(), []
        if granted:
            made = new_lot(granted, PAID, now_us=NOW_US, ids=ids)
            grant(tried, made, Place.GRANTS, TransactionKind.GRANT, now_us=NOW_US, ids=ids)
        with suppress(Refusal):
            deduct(tried, amount, mode, now_us=NOW_US, ids=ids, terms=TERMS, advise=lambda s: said.append(s) or {})
        return said[0] if said else None

    short = attempt(0)
    if short is not None:
        assert attempt(short.needed) is None
        assert attempt(short.needed - 1) is not None
