"""What a dispute has out, by the entries of Stripe's balance alone; and what stands of news in any order."""

import random
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.sales.disputes import (
    NO_FLAGS,
    STATUSES,
    DisputeNews,
    DisputeStatus,
    PurchaseFlags,
    begun,
    flags_of,
    out_minor,
)

AMOUNT = 1_000


@pytest.mark.parametrize(
    ("entries", "out"),
    [
        ([], 0),
        ([-1_000], 1_000),
        ([-1_000, 1_000], 0),
        ([-1_000, 400], 600),
        ([-1_000, 1_000, -1_000], 1_000),
        ([-1_000, 1_500], 0),
        ([-920], 1_000),
        ([-920, 460], 500),
        ([-920, 461], 499),
        ([-3], 1_000),
        ([-3, 1], 667),
        ([1_000], 0),
        ([0], 0),
    ],
    ids=[
        "nothing moved",
        "withdrawn",
        "returned",
        "partly returned",
        "withdrawn again",
        "more came back than went",
        "in another currency",
        "half of it, in another currency",
        "rounded up",
        "a coarse currency",
        "a third of it came back",
        "came and never went",
        "an entry of nothing",
    ],
)
def test_what_is_out(entries, out):
    for order in permutations(entries):
        assert out_minor(AMOUNT, order) == out


@given(st.integers(0, 10**9), st.lists(st.integers(-(10**9), 10**9), max_size=6))
def test_no_more_is_out_than_the_dispute_is_about(amount, entries):
    out = out_minor(amount, entries)
    assert 0 <= out <= amount
    assert (out == 0) or sum(entries) < 0


def news(second, word, *amounts, amount_minor=AMOUNT, first=0):
    entries = {f"txn_{first + number}": amount for number, amount in enumerate(amounts)}
    return DisputeNews("dp_1", amount_minor, "usd", word, "fraudulent", entries, None, second * 1_000_000)


STORIES = {
    "won": [
        news(1, "needs_response"),
        news(1, "needs_response", -1_000),
        news(9, "under_review", -1_000),
        news(50, "won", -1_000),
        news(50, "won", -1_000, 1_000),
    ],
    "the money came before the decision": [
        news(1, "needs_response", -1_000),
        news(7, "under_review", -1_000, 1_000),
        news(8, "won", -1_000, 1_000),
    ],
    "lost, and withdrawn by the customer": [
        news(1, "needs_response", -1_000),
        news(2, "lost", -1_000),
        news(3, "won", -1_000, 1_000),
    ],
    "an inquiry that escalates": [
        news(1, "warning_needs_response"),
        news(4, "warning_under_review"),
        news(4, "needs_response"),
        news(5, "needs_response", -700, amount_minor=700),
    ],
    "a word of next year": [news(1, "needs_response", -1_000), news(2, "in_mediation", -1_000)],
}


@pytest.mark.parametrize("story", STORIES)
def test_any_order_and_repetition_ends_alike(story):
    chance = random.Random(story)
    told = STORIES[story]
    ends = set()
    for order in permutations(told):
        dispute = begun(order[0], "acme", "pur_1", 0)
        for each in (*order[1:], *chance.sample(order, 2)):
            dispute.learn(each)
        ends.add((dispute.word, dispute.amount_minor, dispute.out_minor, dispute.told_time_us))
    assert ends == {(told[-1].word, told[-1].amount_minor, dispute.out_minor, told[-1].told_time_us)}
    assert dispute.out_minor == {"an inquiry that escalates": 700, "a word of next year": 1_000}.get(story, 0)


def test_flags():
    dispute = begun(news(1, "warning_needs_response"), "acme", "pur_1", 0)
    lost = replace(dispute, word="lost")
    assert flags_of([], NO_FLAGS) == NO_FLAGS
    assert flags_of([dispute, lost], NO_FLAGS) == PurchaseFlags.INQUIRY
    assert flags_of([replace(dispute, word="under_review")], PurchaseFlags.INQUIRY) == PurchaseFlags.DISPUTED
    assert flags_of([lost], PurchaseFlags.FRAUD_WARNING | PurchaseFlags.DISPUTED) == PurchaseFlags.FRAUD_WARNING
    assert replace(dispute, word="in_mediation").status is DisputeStatus.OTHER
    assert DisputeStatus.OTHER.is_open
    assert {status for status in DisputeStatus if status is not DisputeStatus.OTHER} == set(STATUSES.values())
