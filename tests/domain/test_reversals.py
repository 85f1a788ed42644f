"""The reversal target is a function of money gone back alone, and the quotes stand exactly on its edge."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing_service.domain.refusals import Refusal
from billing_service.domain.sales.reversals import (
    PurchaseReversal,
    ReferralAtStake,
    RefundPolicy,
    RefundQuote,
    quote,
    quote_amount,
    quote_unused_only,
    quote_with_debt,
    reversed_minor,
    target_credits,
)

CREDITS = st.integers(1, 10**15) | st.integers(1, 50)
PAID = st.integers(0, 99_999_999) | st.integers(0, 50)


@st.composite
def purchases(draw):
    credits_microcredits, paid_minor = draw(CREDITS), draw(PAID)
    gone_minor = draw(st.integers(0, paid_minor))
    taken = target_credits(credits_microcredits, paid_minor, gone_minor)
    # Up to all: spent credits may come back to the lot after others paid for what was taken.
    left = draw(st.integers(0, credits_microcredits) | st.just(credits_microcredits - taken))
    return PurchaseReversal(credits_microcredits, paid_minor, gone_minor, taken, left)


@pytest.mark.parametrize(
    "wrong",
    [
        {"credits_microcredits": 0},
        {"paid_minor": -1},
        {"reversed_minor": 1_001},
        {"reversed_minor": -1},
        {"taken_microcredits": -1},
        {"taken_microcredits": 10_001},
        {"left_microcredits": -1},
        {"left_microcredits": 10_001},
    ],
)
def test_a_purchase_that_can_not_be_is_not_quoted(wrong):
    good = PurchaseReversal(10_000, 1_000, 0, 0, 10_000)
    with pytest.raises(AssertionError):
        replace(good, **wrong)


@pytest.mark.parametrize("amount_minor", [-1, 1_001])
def test_no_quote_beyond_what_was_paid(amount_minor):
    with pytest.raises(AssertionError):
        quote_amount(PurchaseReversal(10_000, 1_000, 0, 0, 10_000), amount_minor)


@pytest.mark.parametrize(
    ("paid", "refunds", "disputes", "expected"),
    [
        (1000, 0, 0, 0),
        (1000, 300, 0, 300),
        (1000, 300, 700, 1000),
        (1000, 1000, 1000, 1000),
        (1000, 0, 1500, 1000),
        (0, 5, 5, 0),
    ],
)
def test_reversed_minor_is_capped_by_what_was_paid(paid, refunds, disputes, expected):
    assert reversed_minor(paid, refunds, disputes) == expected


@pytest.mark.parametrize(
    ("credits_microcredits", "paid", "gone", "expected"),
    [
        (100, 1000, 0, 0),
        (100, 1000, 300, 30),
        (100, 1000, 1, 1),
        (100, 1000, 999, 100),
        (100, 1000, 1000, 100),
        (100, 3, 1, 34),
        (100, 3, 2, 67),
        (7, 0, 0, 0),
        (5_000_000_000, 4_500, 1, 1_111_112),
    ],
)
def test_target_is_the_share_rounded_up(credits_microcredits, paid, gone, expected):
    assert target_credits(credits_microcredits, paid, gone) == expected


@given(credits_microcredits=CREDITS, paid=PAID, data=st.data())
def test_target_is_bounded_monotone_and_exact_at_the_ends(credits_microcredits, paid, data):
    less, more = sorted(data.draw(st.tuples(st.integers(0, paid), st.integers(0, paid))))
    low, high = (target_credits(credits_microcredits, paid, gone) for gone in (less, more))
    assert 0 <= low <= high <= credits_microcredits
    assert target_credits(credits_microcredits, paid, 0) == 0
    if paid:
        assert target_credits(credits_microcredits, paid, paid) == credits_microcredits
        assert 0 <= high * paid - credits_microcredits * more < paid, (
            "never less than the share, and less than one microcredit more"
        )


@given(
    credits_microcredits=CREDITS,
    paid=PAID,
    steps=st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**8)), min_size=1, max_size=4),
)
def test_the_order_of_refunds_and_disputes_does_not_matter(credits_microcredits, paid, steps):
    ends = set()
    for order in permutations(steps):
        taken = refunds = disputes = 0
        for refund, dispute in order:
            for _delivery in range(2):
                target = target_credits(credits_microcredits, paid, reversed_minor(paid, refunds, disputes))
                taken += target - taken
            refunds, disputes = refunds + refund, disputes + dispute
        taken += target_credits(credits_microcredits, paid, reversed_minor(paid, refunds, disputes)) - taken
        ends.add(taken)
    assert len(ends) == 1


@given(purchases())
def test_the_unused_only_quote_is_the_largest_without_debt(purchase):
    quote = quote_unused_only(purchase)
    assert 0 <= quote.refundable_minor <= purchase.remaining_minor
    assert quote.debt_microcredits == 0
    assert quote.reversed_microcredits <= purchase.left_microcredits
    if quote.refundable_minor:
        assert quote == quote_amount(purchase, quote.refundable_minor)
    if quote.refundable_minor < purchase.remaining_minor:
        assert quote_amount(purchase, quote.refundable_minor + 1).debt_microcredits > 0, "one unit more would exceed"


@given(purchases(), st.data())
def test_refunding_the_quote_in_two_parts_comes_to_the_same(purchase, data):
    whole = quote_unused_only(purchase)
    part = quote_amount(purchase, data.draw(st.integers(0, whole.refundable_minor)))
    assert part.debt_microcredits == 0
    rest = quote_unused_only(
        replace(
            purchase,
            reversed_minor=purchase.reversed_minor + part.refundable_minor,
            taken_microcredits=purchase.taken_microcredits + part.reversed_microcredits,
            left_microcredits=purchase.left_microcredits - part.reversed_microcredits,
        )
    )
    assert part.refundable_minor + rest.refundable_minor == whole.refundable_minor
    assert part.reversed_microcredits + rest.reversed_microcredits == whole.reversed_microcredits


@given(purchases())
def test_the_quote_with_debt_gives_all_the_money_back(purchase):
    quote = quote_with_debt(purchase)
    assert quote.refundable_minor == purchase.remaining_minor
    assert quote.reversed_microcredits - quote.debt_microcredits <= purchase.left_microcredits
    assume(purchase.paid_minor)
    assert purchase.taken_microcredits + quote.reversed_microcredits == purchase.credits_microcredits


@pytest.mark.parametrize(
    ("purchase", "unused_only", "with_debt"),
    [
        (PurchaseReversal(1_000, 100, 0, 0, 1_000), RefundQuote(100, 1_000, 0), RefundQuote(100, 1_000, 0)),
        (PurchaseReversal(1_000, 100, 0, 0, 0), RefundQuote(0, 0, 0), RefundQuote(100, 1_000, 1_000)),
        (PurchaseReversal(1_000, 100, 0, 0, 255), RefundQuote(25, 250, 0), RefundQuote(100, 1_000, 745)),
        (PurchaseReversal(1_000, 100, 40, 400, 255), RefundQuote(25, 250, 0), RefundQuote(60, 600, 345)),
        (PurchaseReversal(1_000, 100, 30, 300, 800), RefundQuote(70, 700, 0), RefundQuote(70, 700, 0)),
        (PurchaseReversal(1_000, 100, 100, 1_000, 0), RefundQuote(0, 0, 0), RefundQuote(0, 0, 0)),
        (PurchaseReversal(1_000, 0, 0, 0, 1_000), RefundQuote(0, 0, 0), RefundQuote(0, 0, 0)),
        (PurchaseReversal(3, 100, 0, 0, 2), RefundQuote(66, 2, 0), RefundQuote(100, 3, 1)),
        (PurchaseReversal(1_000, 100, 40, 0, 300), RefundQuote(0, 0, 0), RefundQuote(60, 1_000, 700)),
    ],
)
def test_quotes(purchase, unused_only, with_debt):
    assert quote_unused_only(purchase) == unused_only
    assert quote_with_debt(purchase) == with_debt


STAKES = [
    # 1,000 credits for 1,000; left of them, of which so much must stay paid; spent and left of the bonus: both quotes
    # the bonus spent, the purchase whole
    (1_000, 1_000, 1_000, 0, RefundQuote(0, 0, 0), RefundQuote(1_000, 1_000, 1_000, 1_000)),
    (1_000, 1_000, 0, 1_000, RefundQuote(1_000, 1_000, 0, 1_000), RefundQuote(1_000, 1_000, 0, 1_000)),
    (1_000, 1_000, 400, 600, RefundQuote(600, 600, 0, 1_000), RefundQuote(1_000, 1_000, 400, 1_000)),
    (500, 1_000, 1_000, 0, RefundQuote(0, 0, 0), RefundQuote(1_000, 1_000, 1_500, 1_000)),
    (1_000, 300, 1_000, 0, RefundQuote(700, 700, 0, 0), RefundQuote(1_000, 1_000, 1_000, 1_000)),  # so far it stands
    # beyond, the bonus is covered
    (1_000, 300, 200, 800, RefundQuote(800, 800, 0, 1_000), RefundQuote(1_000, 1_000, 200, 1_000)),
    (1_000, 300, 301, 699, RefundQuote(700, 700, 0, 0), RefundQuote(1_000, 1_000, 301, 1_000)),
    (1_000, 300, 300, 700, RefundQuote(700, 700, 0, 0), RefundQuote(1_000, 1_000, 300, 1_000)),
    (1_000, 300, 299, 701, RefundQuote(701, 701, 0, 1_000), RefundQuote(1_000, 1_000, 299, 1_000)),
    (650, 300, 0, 1_000, RefundQuote(650, 650, 0, 0), RefundQuote(1_000, 1_000, 350, 1_000)),
    (0, 300, 0, 1_000, RefundQuote(0, 0, 0, 0), RefundQuote(1_000, 1_000, 1_000, 1_000)),
]


@pytest.mark.parametrize(("left", "stays", "spent", "left_of_bonus", "unused_only", "with_debt"), STAKES)
def test_quotes_where_a_referral_is_at_stake(*, left, stays, spent, left_of_bonus, unused_only, with_debt):
    stake = ReferralAtStake(1_000 - stays, spent, left_of_bonus)
    purchase = PurchaseReversal(1_000, 1_000, 0, 0, left, 0, stake)
    assert quote_unused_only(purchase) == unused_only
    assert quote_with_debt(purchase) == with_debt


EXPIRED = [
    # left, expired, taken of 2,000 credits for 2,000: both quotes
    (0, 1_500, 0, RefundQuote(0, 0, 0), RefundQuote(2_000, 2_000, 500)),
    (0, 2_000, 0, RefundQuote(0, 0, 0), RefundQuote(2_000, 2_000, 0)),
    (300, 1_200, 0, RefundQuote(300, 300, 0), RefundQuote(2_000, 2_000, 500)),
    (0, 500, 1_000, RefundQuote(0, 0, 0), RefundQuote(1_000, 1_000, 500)),
]


@pytest.mark.parametrize(("left", "expired", "taken", "unused_only", "with_debt"), EXPIRED)
def test_what_expired_is_neither_refundable_nor_owed(left, expired, taken, unused_only, with_debt):
    purchase = PurchaseReversal(2_000, 2_000, taken, taken, left, expired)
    assert quote_unused_only(purchase) == unused_only
    assert quote_with_debt(purchase) == with_debt


@given(purchases(), st.data())
def test_the_largest_refund_is_the_largest_whatever_is_at_stake(purchase, data):
    """Every smaller one is as good, and none above makes no debt out of credits that were left."""
    expired = data.draw(st.integers(0, purchase.credits_microcredits))
    stake = None
    if purchase.remaining_minor and data.draw(st.booleans()):
        amounts = st.integers(0, 2 * purchase.credits_microcredits)
        stake = ReferralAtStake(
            data.draw(st.integers(0, purchase.remaining_minor - 1)), data.draw(amounts), data.draw(amounts)
        )
    at_stake = replace(purchase, expired_microcredits=expired, referral=stake)
    quote = quote_unused_only(at_stake)
    assert quote.debt_microcredits == 0

    def is_covered(amount_minor):
        falls = stake is not None and amount_minor > stake.standing_refund_minor
        needed = quote_amount(at_stake, amount_minor).reversed_microcredits + (stake.spent_microcredits if falls else 0)
        return needed <= at_stake.left_microcredits

    if quote.refundable_minor:
        assert is_covered(quote.refundable_minor)
        assert is_covered(data.draw(st.integers(1, quote.refundable_minor)))
    if quote.refundable_minor < at_stake.remaining_minor:
        assert not is_covered(data.draw(st.integers(quote.refundable_minor + 1, at_stake.remaining_minor)))


UNUSED, DEBT = RefundPolicy.UNUSED_ONLY, RefundPolicy.WITH_DEBT
WHOLE = PurchaseReversal(10_000, 1_000, 0, 0, 10_000)
SPENT = PurchaseReversal(10_000, 1_000, 0, 0, 4_000)
PART_BACK = PurchaseReversal(10_000, 1_000, 300, 3_000, 1_000)
NONE_LEFT = PurchaseReversal(10_000, 1_000, 0, 0, 0)


@pytest.mark.parametrize(
    ("purchase", "policy", "amount_minor", "currency", "answer"),
    [
        (WHOLE, UNUSED, 1_001, "usd", "INVALID_FIELD"),
        (WHOLE, DEBT, 1_001, "usd", "INVALID_FIELD"),
        (NONE_LEFT, UNUSED, 1_001, "usd", "INVALID_FIELD"),
        (PART_BACK, UNUSED, 701, "usd", "INVALID_FIELD"),
        (PART_BACK, DEBT, 701, "usd", "INVALID_FIELD"),
        (WHOLE, UNUSED, 105, "kwd", "INVALID_FIELD"),
        (NONE_LEFT, UNUSED, 1, "usd", "CREDITS_ALREADY_SPENT"),
        (SPENT, UNUSED, 401, "usd", "CREDITS_ALREADY_SPENT"),
        (PART_BACK, UNUSED, 101, "usd", "CREDITS_ALREADY_SPENT"),
        (PART_BACK, UNUSED, 700, "usd", "CREDITS_ALREADY_SPENT"),
        (NONE_LEFT, UNUSED, None, "usd", (0, 0, 0)),
        (WHOLE, UNUSED, None, "usd", (1_000, 10_000, 0)),
        (WHOLE, UNUSED, 1, "usd", (1, 10, 0)),
        (SPENT, UNUSED, 400, "usd", (400, 4_000, 0)),
        (SPENT, DEBT, 1_000, "usd", (1_000, 10_000, 6_000)),
        (PART_BACK, UNUSED, 100, "usd", (100, 1_000, 0)),
        (PART_BACK, DEBT, 700, "usd", (700, 7_000, 6_000)),
        (PurchaseReversal(10_000, 1_005, 0, 0, 10_000), DEBT, None, "kwd", (1_000, 9_951, 0)),
    ],
)
def test_a_quote_of_an_amount(purchase, policy, amount_minor, currency, answer):
    if isinstance(answer, str):
        with pytest.raises(Refusal) as refused:
            quote(purchase, policy, amount_minor, currency)
        assert refused.value.reason == answer
        if answer == "INVALID_FIELD":
            assert refused.value.metadata == {"field": "amount_minor"}
    else:
        assert quote(purchase, policy, amount_minor, currency) == RefundQuote(*answer)
