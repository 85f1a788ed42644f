"""What a transaction keeps of its price: the same bytes for ever, and nothing but what was written is read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.catalogue.usage_kinds import Measure, UsageKind
from billing_service.domain.spending.price_records import (
    ChargeRecord,
    PriceDamagedError,
    PricedUsage,
    UnpricedUsage,
    decode_record,
    encode_asked,
    encode_price,
    encode_unpriced,
)
from billing_service.domain.spending.pricing import Price, PricedLine, TimeBasis
from billing_service.domain.spending.usage import Measurement, Usage, UsageLine
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


def with_usage(price, provider="openai", model="gpt-5", **about):
    """The price with the usage that it is of."""
    lines = tuple(UsageLine(line.measure, line.quantity) for line in price.lines)
    return PricedUsage(Usage(provider, model, lines, provider_cost_e18=price.provider_cost_e18, **about), price)


KEPT = [
    (
        with_usage(PLAIN, request_id='a "b"', occur_time_us=1_800_000_000_000_000),
        (
            b'{"above":0,"amount":432,"attributes":[],"card":"2026-11-30","format":1,'
            b'"lines":[[1,"",7,"0.00000025"],[4,"",1,"0.000002"]],"markup":150000,"measurement":1,"model":"gpt-5",'
            b'"occurred":1800000000000000,"pattern":"gpt-5*","provider":"openai","provider_cost":"",'
            b'"request":"a \\"b\\"","service_tier":"","tier":"","time":1}'
        ),
    ),
    (
        with_usage(LARGE, attributes=(("region", "us"), ("speed", "€")), measurement=Measurement.ESTIMATED),
        (
            b'{"above":200000,"amount":3000110,"attributes":[["region","us"],["speed","\xe2\x82\xac"]],'
            b'"card":"v\xe2\x82\xac","format":1,"lines":[[3,"1h",1000000000000,"0.000000000000000001"],'
            b'[13,"in",1,"0.0001"],[15,"web_searches",3,"0.01"]],"markup":0,"measurement":2,"model":"gpt-5",'
            b'"occurred":null,"pattern":"claude","provider":"openai","provider_cost":"","request":"","service_tier":"",'
            b'"tier":"batch","time":2}'
        ),
    ),
    (
        with_usage(BY_PROVIDER, "openrouter", "auto", service_tier="fast"),
        (
            b'{"above":0,"amount":1358025,"attributes":[],"card":"v","format":1,"lines":[[1,"",5,"0"]],"markup":100000,'
            b'"measurement":1,"model":"auto","occurred":null,"pattern":"auto","provider":"openrouter",'
            b'"provider_cost":"0.0123456789","request":"","service_tier":"fast","tier":"priority","time":2}'
        ),
    ),
]
"""Kept for ever: what an earlier program wrote is read by every later one."""


@pytest.mark.parametrize(("priced", "record"), KEPT, ids=["plain", "large", "by the provider"])
def test_records_that_were_written_once(priced, record):
    assert encode_price(priced) == record
    assert decode_record(record) == ChargeRecord(priced.price.amount_microcredits, priced)


def test_a_plain_amount_of_which_less_was_taken():
    assert encode_asked(10**15) == b'{"asked":1000000000000000,"format":1}'
    assert decode_record(b'{"asked":7,"format":1}') == ChargeRecord(7, None)


UNPRICED = UnpricedUsage(
    Usage(
        provider="openai",
        model="gpt-5",
        lines=(UsageLine(Measure(K.INPUT_TOKENS), 7), UsageLine(Measure(K.UNITS, "web_searches"), 3)),
        service_tier="scale",
        attributes=(("region", "us"),),
        provider_cost_e18=12_345_678_900_000_000,
        occur_time_us=5,
        request_id="r",
    ),
    "2026-11-30",
    ("service_tier scale",),
)
UNPRICED_RECORD = (
    b'{"amount":900,"attributes":[["region","us"]],"card":"2026-11-30","format":1,'
    b'"lines":[[1,"",7],[15,"web_searches",3]],"measurement":1,"missing":["service_tier scale"],"model":"gpt-5",'
    b'"occurred":5,"provider":"openai","provider_cost":"0.0123456789","request":"r","service_tier":"scale"}'
)


def test_a_usage_without_a_price_is_kept_as_it_was_sent():
    assert encode_unpriced(UNPRICED, 900) == UNPRICED_RECORD
    assert decode_record(UNPRICED_RECORD) == ChargeRecord(900, None, UNPRICED)


@pytest.mark.parametrize("before", [1, 431, 432])
def test_what_another_charge_had_taken_is_no_part_of_this_one(before):
    priced = with_usage(PLAIN)
    assert decode_record(encode_price(priced, before)) == ChargeRecord(432 - before, priced, None, before)
    assert decode_record(encode_unpriced(UNPRICED, 432, before)) == ChargeRecord(432 - before, None, UNPRICED, before)


UNPRICED_DAMAGE = [
    (b'"amount":900', b'"amount":900.0'),
    (b'"amount":900', b'"amount":true'),
    (b'"amount":900', b'"amount":-1'),
    (b'"amount":900', b'"amount":1000000000000001'),
    (b'"card"', b'"before":901,"card"'),
    (b'"card"', b'"before":0,"card"'),
    (b'"card"', b'"before":-1,"card"'),
    (b'"card"', b'"before":true,"card"'),
    (b'["service_tier scale"]', b"[]"),
    (b'["service_tier scale"]', b"[7]"),
    (b'[1,"",7]', b'[1,"",7.0]'),
    (b'[1,"",7]', b'[99,"",7]'),
    (b'"occurred":5', b'"occurred":5.0'),
    (b'"measurement":1', b'"measurement":0'),
    (b'"provider":"openai",', b""),
]


@pytest.mark.parametrize(("part", "other"), UNPRICED_DAMAGE, ids=str)
def test_damage_of_a_usage_without_a_price_shows(part, other):
    assert part in UNPRICED_RECORD
    with pytest.raises(PriceDamagedError):
        decode_record(UNPRICED_RECORD.replace(part, other, 1))


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
    (b'"measurement":1', b'"measurement":0'),
    (b'"provider":"openai",', b""),
    (b'"attributes":[]', b'"attributes":[["a"]]'),
    (b'"amount":432', b'"amount":432,"asked":432'),
    (b'"card"', b'"before":433,"card"'),
    (b'"card"', b'"before":0,"card"'),
]


@pytest.mark.parametrize(("part", "other"), DAMAGE, ids=str)
def test_damage_shows(part, other):
    record = encode_price(with_usage(PLAIN))
    assert part in record
    with pytest.raises(PriceDamagedError):
        decode_record(record.replace(part, other, 1))


NO_AMOUNTS = [
    b'{"asked":0,"format":1}',
    b'{"asked":-1,"format":1}',
    b'{"asked":true,"format":1}',
    b'{"asked":1.0,"format":1}',
    b'{"asked":1000000000000001,"format":1}',
    b'{"asked":1,"format":1} ',
    b'{"asked":1,"format":2}',
]


@pytest.mark.parametrize(
    "record",
    [b"", b"[]", b"null", b"{}", b"\xff", b'{"format":1}', b"[" * 100_000, *NO_AMOUNTS],
    ids=lambda record: record[:40],
)
def test_what_is_no_record(record):
    with pytest.raises(PriceDamagedError):
        decode_record(record)


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


@given(PRICES, st.text(max_size=5), st.text(max_size=5), st.none() | st.integers(0, 2**62))
def test_every_price_is_read_as_it_was_written(price, word, name, occurred_us):
    priced = with_usage(
        price, name, word, service_tier=name, request_id=word, attributes=((word, name),), occur_time_us=occurred_us
    )
    record = encode_price(priced)
    assert decode_record(record) == ChargeRecord(price.amount_microcredits, priced)
    values = json.loads(record)
    assert values["amount"] == price.amount_microcredits
    assert json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() == record


@given(st.binary(max_size=40))
def test_garbage_is_never_a_price(record):
    with pytest.raises(PriceDamagedError):
        decode_record(record)
