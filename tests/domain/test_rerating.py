"""What a charge should come to by another price: a table of what was charged, undone and not collected."""

import pytest

from billing_service.domain.catalogue.rate_cards import Column, Entry
from billing_service.domain.catalogue.usage_kinds import UsageKind
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.price_records import PricedUsage, UnpricedUsage, decode_record, encode_unpriced
from billing_service.domain.spending.pricing import TimeBasis, price
from billing_service.domain.spending.rerating import (
    MISSING_CHARACTERS_MAX,
    ChargedUsage,
    Lack,
    Rerated,
    price_again,
    standing_of,
    target_of,
)
from billing_service.domain.spending.usage import usage_of
from tests.support.doubles import DAY_US, START_US
from tests.support.rate_card_examples import by_hand, card_of, prices_of

TARGETS = [
    # charged, amount, given back, new price: target
    ((100, 100, 0, 50), 50),
    ((100, 100, 100, 50), 0),
    ((100, 100, 40, 50), 30),
    ((100, 100, 99, 50), 1),
    ((3, 3, 1, 100), 67),
    ((100, 100, 0, 250), 250),
    ((0, 0, 0, 70), 70),
    # of 100 only 60 were collected: more is never taken
    ((60, 100, 0, 100), 60),
    ((60, 100, 0, 50), 50),
    ((60, 100, 30, 100), 30),
    ((60, 100, 30, 40), 20),
    ((60, 100, 60, 100), 0),
    ((0, 100, 0, 50), 0),
    ((0, 100, 0, 0), 0),
]


@pytest.mark.parametrize(("case", "target"), TARGETS)
def test_what_a_charge_should_come_to(case, target):
    charged, amount, given_back, new_price = case
    assert target_of(standing_of(charged, amount, given_back), new_price) == target


def charged(card=None, *, account_id="a", occur_time_us=None, basis=TimeBasis.RECEIVED, **fields):
    """A usage, charged in full at the beginning of the tests."""
    usage = usage_of(
        **{"provider": "p", "model": "m", "lines": [(UsageKind.INPUT_TOKENS, "", 7)]} | fields,
        occur_time_us=occur_time_us,
    )
    found = price(usage, card or card_of(at(1)), occur_time_us or START_US, basis)
    amount = found.amount_microcredits
    return ChargedUsage(account_id, "txn_1", START_US, PricedUsage(usage, found), standing_of(amount, amount, 0))


def at(microcredits, provider="p", model="m"):
    """An entry where a token costs so many microcredits."""
    return Entry(provider, model, (Column(prices_of(input_tokens=microcredits * 10**10)),))


@pytest.mark.parametrize(("occurred_us", "expected"), [(None, 40), (START_US - DAY_US // 2, 40)])
def test_a_usage_that_had_no_price_is_priced_by_a_card_that_has_one(occurred_us, expected):
    usage = usage_of(provider="p", model="m", lines=[(1, "", 10)], occur_time_us=occurred_us)
    unpriced = UnpricedUsage(usage, "old", ("model",))
    estimated = ChargedUsage("a", "txn_1", START_US, unpriced, standing_of(100, 100, 0))
    assert estimated.own_price(price_again(estimated, card_of(at(4)))) == expected


def test_a_charge_of_a_part_costs_its_part():
    """The end of a hold had charged 3 of 10."""
    usage = usage_of(provider="p", model="m", lines=[(1, "", 10)])
    record = decode_record(encode_unpriced(UnpricedUsage(usage, "old", ("model",)), 10, 3))
    rest = ChargedUsage("a", "txn_1", START_US, record.unpriced, standing_of(7, 7, 0), record.part)
    assert rest.own_price(price_again(rest, card_of(at(4)))) == 28


def test_the_time_that_chose_the_price_chooses_it_again():
    """deepseek-chat costs half from midnight to one o'clock UTC. The tests begin on a Friday at 08:00."""
    midnight_us = START_US - 8 * DAY_US // 24
    fields = {"card": by_hand(), "provider": "deepseek", "model": "deepseek-chat"}
    by_received = charged(occur_time_us=midnight_us, basis=TimeBasis.RECEIVED, **fields)
    by_occurred = charged(occur_time_us=midnight_us, basis=TimeBasis.OCCURRED, **fields)
    prices = [price_again(usage, by_hand()) for usage in (by_received, by_occurred)]
    assert [found.lines[0].unit_price_usd for found in prices] == ["0.0000003", "0.00000015"]
    assert [found.time_basis for found in prices] == [TimeBasis.RECEIVED, TimeBasis.OCCURRED]


def test_what_has_no_price_is_counted_by_name_and_in_no_other_sum():
    long = {"x" * 200: "y"}
    with_attribute = (Column(prices_of(input_tokens=1), "", tuple(long.items())), Column(prices_of(input_tokens=1)))
    lacking = [
        charged(card_of(at(1, model="gone")), model="gone"),
        charged(card_of(Entry("p", "m", (Column(prices_of(images=10**10)),))), lines=[(UsageKind.IMAGES, "", 3)]),
        charged(card_of(Entry("p", "m", with_attribute)), attributes=long),
    ]
    rerated = Rerated()
    for usage in (*lacking, lacking[0], charged()):
        rerated.add(usage, price_again(usage, card_of(at(2))))
    assert rerated.usages == 5
    assert [(lack.model, lack.missing, found.usages) for lack, found in rerated.unpriced.items()] == [
        ("gone", "model", 2),
        ("m", "images", 1),
        ("m", f"attribute {'x' * 200}=y"[:MISSING_CHARACTERS_MAX], 1),
    ]
    assert rerated.unpriced[Lack("p", "gone", "model")].charged == 14
    assert {name: totals.usages for name, totals in rerated.models.items()} == {("p", "m"): 1}
    assert {name: (totals.charged, totals.target) for name, totals in rerated.accounts.items()} == {"a": (7, 14)}


@pytest.mark.parametrize(
    ("fields", "missing"),
    [({"provider_cost_usd": "0.1"}, "provider_cost_usd"), ({"lines": [(UsageKind.INPUT_TOKENS, "", 10**12)]}, "lines")],
)
def test_a_price_that_is_refused_is_no_price(fields, missing):
    first = card_of(Entry("p", "m", provider_cost=True)) if "provider_cost_usd" in fields else card_of(at(1))
    rerated = Rerated()
    usage = charged(first, **fields)
    found = price_again(usage, card_of(at(2_000)))
    assert isinstance(found, Refusal)
    assert found.reason is Reason.INVALID_FIELD
    rerated.add(usage, found)
    assert [lack.missing for lack in rerated.unpriced] == [missing]


def test_sums_add_up():
    rerated = Rerated()
    for account_id, tokens, costs in (("a", 7, 2), ("b", 7, 3), ("a", 5, 2)):
        usage = charged(account_id=account_id, lines=[(UsageKind.INPUT_TOKENS, "", tokens)])
        rerated.add(usage, price_again(usage, card_of(at(costs))))
    model = rerated.models["p", "m"]
    assert (model.usages, model.price, model.charged, model.new_price, model.target, model.difference) == (
        *(3, 19, 19, 45, 45),
        26,
    )
    assert {name: totals.difference for name, totals in rerated.accounts.items()} == {"a": 12, "b": 14}
