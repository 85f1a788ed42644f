"""The envelope of an event: what can't be kept under an id is refused in one way, and nothing else is refused."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.stripe_events.envelope import PAYLOAD_BYTES_MAX, Envelope, EnvelopeInvalid, parse_envelope

EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "checkout.session.completed",
    "livemode": False,
    "created": 1_700_000_000,
    "api_version": "2026-10-28.endive",
    "data": {"object": {"id": "cs_1", "object": "checkout.session"}},
}
ABSENT = object()


def raw(**changes):
    return json.dumps({name: value for name, value in {**EVENT, **changes}.items() if value is not ABSENT}).encode()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" ",
        b"{",
        b"not json",
        b"[]",
        b"null",
        b"true",
        b"1",
        b'"evt_1"',
        b"{}",
        b"\xff\xfe{}",
        b'{"id": "\\ud800"}',
        b"\x00" * 100,
        b"[" * 100_000,
        b'{"a":' * 40_000,
        b"NaN",
        raw()[:-1],
        raw() + b"x",
        raw() + b" " * PAYLOAD_BYTES_MAX,
    ],
)
def test_bytes_that_are_no_event(payload):
    with pytest.raises(EnvelopeInvalid):
        parse_envelope(payload)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("object", ABSENT),
        ("object", "v2.core.event"),
        ("object", "charge"),
        ("id", ABSENT),
        ("id", ""),
        ("id", 7),
        ("id", "evt_1\n"),
        ("id", "evt_1\x00"),
        ("id", "evt_" + "x" * 252),
        ("type", ABSENT),
        ("type", None),
        ("type", ""),
        ("type", "a\nb"),
        ("type", "x" * 400),
    ],
)
def test_a_fault_of_an_event_names_its_field_and_repeats_no_content(field, value):
    with pytest.raises(EnvelopeInvalid, match=field) as caught:
        parse_envelope(raw(**{field: value}))
    assert "cs_1" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_event_at_the_size_limit_is_read():
    padding = PAYLOAD_BYTES_MAX - len(raw(padding=""))
    payload = raw(padding="x" * padding)
    assert len(payload) == PAYLOAD_BYTES_MAX
    assert parse_envelope(payload).event_id == "evt_1"


def test_an_event_is_read():
    about = EVENT["data"]["object"]
    expected = Envelope(
        "evt_1", "checkout.session.completed", False, 1_700_000_000_000_000, is_connected=False, object=about
    )
    assert parse_envelope(raw()) == expected
    other = parse_envelope(raw(account="acct_1", livemode=True, type="v1.some_new.thing", created=0))
    assert (other.is_connected, other.livemode, other.created_us) == (True, True, 0)


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("api_version", "2020-08-27; orders_beta=v4", {}),
        ("api_version", "2026-10-28.preview", {}),
        ("api_version", None, {}),
        ("api_version", 5, {}),
        ("livemode", ABSENT, {"livemode": None}),
        ("livemode", "false", {"livemode": None}),
        ("livemode", 0, {"livemode": None}),
        ("created", ABSENT, {"created_us": None}),
        ("created", -1, {"created_us": None}),
        ("created", 1.5, {"created_us": None}),
        ("created", True, {"created_us": None}),
        ("created", "1700000000", {"created_us": None}),
        ("created", 253_402_300_800, {"created_us": None}),
        ("created", 2**70, {"created_us": None}),
        ("account", "not an account", {"is_connected": True}),
        ("account", 7, {"is_connected": True}),
        ("data", ABSENT, {"object": {}}),
        ("data", [], {"object": {}}),
        ("data", {}, {"object": {}}),
        ("data", {"object": None}, {"object": {}}),
        ("data", {"object": ["cs_1"]}, {"object": {}}),
        ("id", "cs_1", {"event_id": "cs_1"}),
        ("id", "evt-odd id \u00e9", {"event_id": "evt-odd id \u00e9"}),
        ("type", "a b..c", {"event_type": "a b..c"}),
        ("request", "req_1", {}),
        ("pending_webhooks", "many", {}),
    ],
)
def test_no_other_field_refuses_an_event(field, value, read):
    assert parse_envelope(raw(**{field: value})) == replace(parse_envelope(raw()), **read)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=6), children, max_size=4),
    max_leaves=10,
)


@given(st.binary(max_size=200))
def test_random_bytes_are_only_ever_refused(payload):
    with pytest.raises(EnvelopeInvalid):
        parse_envelope(payload)


@given(st.dictionaries(st.sampled_from(sorted({*EVENT, "account"})), JSON, max_size=4))
def test_random_fields_never_raise_anything_else(changes):
    try:
        envelope = parse_envelope(raw(**changes))
    except EnvelopeInvalid:
        return
    assert envelope.event_id
