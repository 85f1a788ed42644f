"""Every request field's check, at and around its limits."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from billing_service.api import validation
from billing_service.api.page_tokens import decode_page_token, encode_page_token
from billing_service.domain.refusals import Reason, Refused

NOT_PRINTABLE = [
    "a\x00",
    "a\nb",
    "\t",
    "a\x1b[0m",
    "a\x7f",
    "a\x9b",
    "a\u2028",
    "a\u00a0b",
    "a\u200b",
    "a\u202e",
    "a\ud800",
    "a\ue000",
]


def refusal_of(check, *arguments, **keywords) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        check(*arguments, **keywords)
    assert caught.value.reason is Reason.INVALID_FIELD
    (violation,) = caught.value.violations
    return violation


@pytest.mark.parametrize(
    ("check", "field", "longest"),
    [(validation.account_id, "account_id", 128), (validation.idempotency_key, "idempotency_key", 255)],
)
def test_identifiers(check, field, longest):
    for bad in ("", "x" * (longest + 1), *NOT_PRINTABLE):
        assert refusal_of(check, bad)[0] == field
    for good in (
        "x",
        "x" * longest,
        " ",
        "Ünï-😀",
        "e\u0301",
        "trailing ",
        "'; DROP TABLE accounts; --",
        "😀" * longest,
    ):
        assert check(good) is good


@pytest.mark.parametrize("value", [-(2**63), -1, 0, 10**15 + 1, 2**63 - 1])
def test_amounts_out_of_range(value):
    assert refusal_of(validation.amount_microcredits, value)[0] == "amount_microcredits"


def test_amounts():
    assert [validation.amount_microcredits(value) for value in (1, 10**15)] == [1, 10**15]
    assert refusal_of(validation.positive, "amount_minor", 11, 10) == ("amount_minor", "must be from 1 to 10")


def test_page_sizes():
    assert {size: validation.page_size(size) for size in (0, 1, 50, 1000, 1001, 2**31 - 1)} == {
        0: 50,
        1: 1,
        50: 50,
        1000: 1000,
        1001: 1000,
        2**31 - 1: 1000,
    }
    for size in (-1, -(2**31)):
        assert refusal_of(validation.page_size, size)[0] == "page_size"


def test_texts():
    for bad in ("x" * 501, "nul\x00", "esc\x1b", "del\x7f", "c1\x85"):
        assert refusal_of(validation.text, "reason", bad)[0] == "reason"
    for good in ("", "x" * 500, "two\nlines\tand a tab", "😀"):
        assert validation.text("reason", good) == good


NO_ADDRESSES = [
    *("x", "@", "a@", "@b.co", "a@b", "a@localhost", "root@[127.0.0.1]", "a@b@c.de"),
    *("a@.co", "a@b.", "a@b..co", "a@.b.co", "a@b.co.", "a@."),
    *("a,b@c.de", "a@b,c.de", "a@b.co,c@d.ef", "a;b@c.de", "a@b.co;c@d.ef", "a:b@c.de"),
    *("<a@b.co>", "Ada <a@b.co>", "a<b@c.de", "a@b.c>o", "a(b)@c.de", "a@b.co(c)", '"a"@b.co', "a\\b@c.de"),
    *(
        " a@b.co",
        "a@b.co ",
        "a b@c.de",
        "a@b .co",
        "a@b.co\n",
        "a@b.c\to",
        "a\u00a0b@c.de",
        "a\x00@b.co",
        "a\u200b@b.co",
    ),
    *("x" * 316 + "@b.co", "mailto:a@b.co"),
]
ADDRESSES = [
    *(
        "",
        "a@b.co",
        "first.last+tag@example.com",
        "o'hara@b-c.co.uk",
        "a..b@c.de",
        ".a@b.co",
        "a.@b.co",
        "x" * 315 + "@b.co",
    ),
    *("ü@exämple.org", "用户@例子.广告", "a@xn--exmple-cua.org", "a!#$%&*/=?^_`{|}~-b@c.de", "A@B.CO", "1@2.3"),
]


@pytest.mark.parametrize("bad", NO_ADDRESSES)
def test_what_stripe_refuses_as_an_address_is_refused(bad):
    assert refusal_of(validation.email, bad)[0] == "email"


@pytest.mark.parametrize("good", ADDRESSES)
def test_addresses(good):
    assert validation.email(good) == good


def test_metadata():
    for bad in (
        {f"n{n}": "" for n in range(51)},
        {"": "x"},
        {"n" * 41: "x"},
        {"n": "x" * 501},
        {"n\n": "x"},
        {"n": "\x00"},
    ):
        assert refusal_of(validation.metadata, bad)[0].startswith("metadata")
    good = {f"name {n}": "v" * 500 for n in range(49)} | {"n" * 40: "two\nlines"}
    assert validation.metadata(good) == good


BAD_URLS = [
    "example.com",
    "ftp://x",
    "javascript:alert(1)",
    "http://",
    "https://user:pw@host/",
    "http://a b",
    "http://a\n",
    "http://h:0/",
    "http://h:99999/",
    "http://[::1",
    "//host/path",
    "https://evil.example\\@good.example/",
    "https://h/" + "x" * 2048,
]


@pytest.mark.parametrize("value", BAD_URLS)
def test_bad_urls(value):
    assert refusal_of(validation.url, "success_url", value)[0] == "success_url"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "http://localhost:3000/ok",
        "https://example.com/s?session_id={CHECKOUT_SESSION_ID}",
        "https://[::1]:8443/x#y",
    ],
)
def test_urls(value):
    assert validation.url("success_url", value) == value


@pytest.mark.parametrize(
    ("seconds", "nanos", "expected"),
    [
        (946_684_799, 999_999_999, None),
        (946_684_800, 0, 946_684_800_000_000),
        (1_700_000_000, 123_456_789, 1_700_000_000_123_456),
        (253_402_300_799, 999_999_999, 253_402_300_799_999_999),
        (253_402_300_800, 0, None),
        (0, 0, None),
        (1_700_000_000, -1, None),
        (1_700_000_000, 1_000_000_000, None),
        (1_700_000_000_000, 0, None),
    ],
)
def test_timestamps(seconds, nanos, expected):
    value = Timestamp(seconds=seconds, nanos=nanos)
    if expected is None:
        assert refusal_of(validation.timestamp_us, "start_time", value)[0] == "start_time"
    else:
        assert validation.timestamp_us("start_time", value) == expected


def test_enums_and_currency():
    known = frozenset({0, 1, 3})
    assert [validation.known_value("mode", value, known) for value in (0, 3)] == [0, 3]
    for value in (2, -1, 99):
        assert refusal_of(validation.known_value, "mode", value, known)[0] == "mode"
    assert [validation.currency(value, "usd") for value in ("", "usd")] == ["usd", "usd"]
    for value in ("USD", "eur", "us", "usd ", "ßßß"):
        assert refusal_of(validation.currency, value, "usd")[0] == "currency"


SECRET, OTHER = b"s" * 32, b"o" * 32
BINDING = ("ListTransactions", "acct-1", 3)


def test_page_tokens_come_back_and_are_opaque():
    token = encode_page_token(SECRET, "41:txn_9", BINDING)
    assert decode_page_token(SECRET, token, BINDING) == "41:txn_9"
    assert token.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "binding",
    [
        ("ListTransactions", "acct-2", 3),
        ("ListPurchases", "acct-1", 3),
        ("ListTransactions", "acct-1", "3"),
        ("ListTransactions", "acct-13"),
        ("ListTransactions", "acct-1"),
        (),
    ],
)
def test_a_page_token_is_good_for_its_own_request_alone(binding):
    token = encode_page_token(SECRET, "41", BINDING)
    assert refusal_of(decode_page_token, SECRET, token, binding)[0] == "page_token"


def test_a_tampered_page_token_is_refused():
    token = encode_page_token(SECRET, "41:txn_99", BINDING)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ é"
    changed = [
        token[:n] + character + token[n + 1 :]
        for n in range(len(token))
        for character in alphabet
        if token[n] != character
    ]
    for bad in (*changed, "", "x", token[:-1], token + "A", token + "=", "A" * 22, "\ud800", "x" * 100_000):
        assert refusal_of(decode_page_token, SECRET, bad, BINDING)[0] == "page_token"
    assert refusal_of(decode_page_token, OTHER, token, BINDING)[0] == "page_token"
