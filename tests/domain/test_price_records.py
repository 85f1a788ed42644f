"""What a transaction keeps of its price: the same bytes for ever, and nothing but what was written is read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.catalogue.usage_kinds import Measure, UsageKind
from billing_service.domain.spending.price_records import PriceDamagedError, decode_price, encode_price
from billing_service.domain.spending.pricing import Price, PricedLine, TimeBasis
from tests.support.rate_card_examples import MEASURES

K = UsageKind
PLAIN = Price(
    "2026-11-30",
    "gpt-5*",
    "",
    0,
    (PricedLine(Measure(K.INPUT_TOKENS), 7, 25 * 10**10), PricedLine(Measure(K.OUTPUT_TOKENS), 1, 2 * 10**12)),
    None,
    150_000,
    TimeBasis.OCCURRED,
)
LARGE = Price(
    "v€",
    "claude",
    "batch",
    200_000,
    (
        PricedLine(Measure(K.CACHE_WRITE_TOKENS, "1h"), 10**12, 1),
        PricedLine(Measure(K.SECONDS, "in"), 1, 10**14),
        PricedLine(Measure(K.UNITS, "web_searches"), 3, 10**16),
    ),
    None,
    0,
    TimeBasis.RECEIVED,
)
BY_PROVIDER = Price(
    "v",
    "auto",
    "priority",
    0,
    (PricedLine(Measure(K.INPUT_TOKENS), 5, 0),),
    12_345_678_900_000_000,
    100_000,
    TimeBasis.RECEIVED,
)

KEPT = [
    (
        PLAIN,
        b'{"above":0,"amount":432,"card":"2026-11-30","format":1,"lines":[[1,"",7,"0.00000025"],[4,"",1,"0.000002"]],"markup":150000,"pattern":"gpt-5*","provider_cost":"","tier":"","time":1}',
    ),
    (
        LARGE,
        b'{"above":200000,"amount":3000110,"card":"v\xe2\x82\xac","format":1,"lines":[[3,"1h",1000000000000,"0.000000000000000001"],[13,"in",1,"0.0001"],[15,"web_searches",3,"0.01"]],"markup":0,"pattern":"claude","provider_cost":"","tier":"batch","time":2}',
    ),
    (
        BY_PROVIDER,
        b'{"above":0,"amount":1358025,"card":"v","format":1,"lines":[[1,"",5,"0"]],"markup":100000,"pattern":"auto","provider_cost":"0.0123456789","tier":"priority","time":2}',
    ),
]
"""Kept for ever: what an earlier program wrote is read by every later one."""


@pytest.mark.parametrize(("price", "record"), KEPT, ids=["plain", "large", "by the provider"])
def test_records_that_were_written_once(price, record):
    assert encode_price(price) == record
    assert decode_price(record) == price


DAMAGE = [
    (b'"amount":432', b'"amount":431'),
    (b'"amount":432', b'"amount":433'),
    (b'"amount":432', b'"amount":"432"'),
    (b'"amount":432,', b""),
    (b'"format":1', b'"format":2'),
    (b"150000", b"160000"),
    (b'"0.000002"', b'"0.000003"'),
    (b'"0.000002"', b'"0.0000020"'),
    (b'"0.000002"', b"0.000002"),
    (b'"0.000002"', b'"2e-6"'),
    (b'[4,"",1', b'[16,"",1'),
    (b'[4,"",1', b'[4,"x",1'),
    (b'[4,"",1', b'[4,"",1.0'),
    (b'[4,"",1', b'[4,""'),
    (b'"time":1', b'"time":0'),
    (b'"time":1', b'"time":1 '),
    (b"{", b""),
    (b'"lines":[', b'"lines":[1,'),
]


@pytest.mark.parametrize(("part", "other"), DAMAGE, ids=str)
def test_damage_shows(part, other):
    record = encode_price(PLAIN)
    assert part in record
    with pytest.raises(PriceDamagedError):
        decode_price(record.replace(part, other, 1))


@pytest.mark.parametrize("record", [b"", b"[]", b"null", b"{}", b"\xff", b'{"format":1}'])
def test_what_is_no_record(record):
    with pytest.raises(PriceDamagedError):
        decode_price(record)


LINES = st.lists(
    st.builds(PricedLine, st.sampled_from(MEASURES), st.integers(1, 10**12), st.integers(0, 10**24)), max_size=5
).map(tuple)
PRICES = st.builds(
    Price,
    st.text(max_size=5),
    st.text(max_size=5),
    st.text(max_size=5),
    st.integers(0, 10**12),
    LINES,
    st.none() | st.integers(1, 10**21),
    st.integers(0, 10**8),
    st.sampled_from(TimeBasis),
)


@given(PRICES)
def test_every_price_is_read_as_it_was_written(price):
    record = encode_price(price)
    assert decode_price(record) == price
    assert json.loads(record)["amount"] == price.amount_microcredits


@given(st.binary(max_size=40))
def test_garbage_is_never_a_price(record):
    with pytest.raises(PriceDamagedError):
        decode_price(record)
