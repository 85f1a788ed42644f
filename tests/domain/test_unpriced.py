"""Usages of sessions that have no price: what is charged in their stead, and what is kept of them."""

import pytest

from billing_service.domain.ledger.holds import SessionEnd
from billing_service.domain.spending.price_records import (
    PricedUsage,
    UnpricedUsage,
    decode_record,
    encode_price,
    encode_unpriced,
)
from billing_service.domain.spending.sessions import take_tick, unpriced_charge
from billing_service.domain.spending.unpriced import session_end
from tests.domain.test_sessions import priced, session, used


def test_a_tick_without_a_price_changes_no_charge_and_says_what_is_missing():
    before = take_tick(session(), 2, used(), priced(7))
    flex = used(service_tier="flex")
    unpriced = UnpricedUsage(flex, "v", ("service_tier flex",))
    after = take_tick(before, 9, flex, unpriced)
    assert (after.sequence, after.usage, after.charged) == (9, flex, 7)
    kept = decode_record(after.price_record)
    assert (kept.amount, kept.priced, kept.unpriced) == (7, None, unpriced)


DETAIL = {"provider": "p", "model": "m", "missing": "service_tier flex, output_tokens", "rate_card_version": "v"}
PRICED, LACKING = (
    encode_price(PricedUsage(used(), priced(70))),
    UnpricedUsage(used(), "v", ("service_tier flex", "output_tokens")),
)
ENDS = [
    (70, PRICED, SessionEnd(70, 70, PRICED)),
    (80, PRICED, SessionEnd(80, 80)),  # a program that keeps no records raised it
    (0, b"", SessionEnd(0, 0)),
    (70, b"damaged", SessionEnd(70, 70)),
    (70, encode_unpriced(LACKING, 70), SessionEnd(70, 70, encode_unpriced(LACKING, 70), DETAIL)),
    (0, encode_unpriced(LACKING, 0), SessionEnd(0, 100, encode_unpriced(LACKING, 100), DETAIL)),
]


@pytest.mark.parametrize(("acknowledged", "record", "end"), ENDS)
def test_the_end_of_a_hold_charges_what_was_acknowledged_and_says_why(acknowledged, record, end):
    assert session_end(100, acknowledged, record) == end


def test_a_usage_without_a_price_is_charged_as_it_was_acknowledged():
    assert unpriced_charge(session(charged=70)) == 70
    assert unpriced_charge(session()) == 100, "all of the hold where no tick had a price"


def test_a_price_of_nothing_takes_the_place_of_none():
    unpriced = UnpricedUsage(used(service_tier="flex"), "v", ("service_tier flex",))
    free = take_tick(take_tick(session(), 1, used(service_tier="flex"), unpriced), 2, used(), priced(0))
    assert decode_record(free.price_record).unpriced is None
    assert session_end(100, free.charged, free.price_record).charged == 0
