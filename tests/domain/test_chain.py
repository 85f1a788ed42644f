"""The hash chain's canonical bytes, fixed for ever by vectors: the same on every store and in every version."""

import dataclasses
from hashlib import sha256

import pytest

from billing_service.domain.ledger.chain import GENESIS, canonical, link, texts_digest
from billing_service.domain.ledger.entries import Entry, Transaction, TransactionKind

FIRST = Transaction(
    transaction_id="txn_0001",
    account_id="acme",
    version=1,
    previous_id="",
    kind=TransactionKind.GRANT,
    amount=1_000_000,
    balance_after=1_000_000,
    create_time_us=1_700_000_000_000_000,
    entries=[Entry("grants", "lot_0001", 1_000_000)],
    chain_format=1,
)
UNICODE = Transaction(
    transaction_id="txn_0002",
    account_id="Zo\u00eb \N{SNOWMAN} \U0001f600",
    version=2,
    previous_id="txn_0001",
    kind=TransactionKind.DEDUCTION,
    amount=-(2**53),
    balance_after=2**62,
    create_time_us=0,
    source_id="pur_1",
    caller="metering",
    description="two\nlines; 3:abc,",
    metadata='{"a":"b"}',
    entries=[Entry("lot_0001", "usage", 2**53 - 1), Entry("debt", "usage", 1)],
    chain_format=1,
)
SALTED = dataclasses.replace(UNICODE, chain_format=2, salt=bytes(range(16)), price_record=b'{"amount":1}')
BARE = dataclasses.replace(FIRST, chain_format=2)
PRICED = dataclasses.replace(BARE, price_record=SALTED.price_record)
TEXTS_DIGEST = "0dbb6d1a267919b03b2040154ee2c3180fe3b8e0533ddad89d87ba4932c91131"
ERASED = dataclasses.replace(SALTED, salt=b"", description="", metadata="", erased_digest=bytes.fromhex(TEXTS_DIGEST))
VECTORS = {
    "1, plain": (FIRST, GENESIS, "9b5f964fc6ca50e76b3580f67585f1fe3d00ae889219ac1cd3fa9802de2c5d37"),
    "1, unicode and big numbers": (
        UNICODE,
        bytes(range(32)),
        "8b79215de41062f499491a85d2963c2e42bb3e82eb1442f9800ea85afe0e4d95",
    ),
    "2, neither texts nor price": (BARE, GENESIS, "4d4495650b111cd4e7617f9a159a6e464919694ae56f9b2aa1a29452a3cdafff"),
    "2, price": (PRICED, GENESIS, "ad720e1879f0de1a7a3530d5f6a28cd16301f8fcba372d54923eeb2b05c8f106"),
    "2, unicode, big numbers, price": (
        SALTED,
        bytes(range(32)),
        "a1beefc169c0093ee40f9cfd9e76f1374f6d20aa2940f0d8c2169c8408d6eada",
    ),
    "2, erased": (ERASED, bytes(range(32)), "a1beefc169c0093ee40f9cfd9e76f1374f6d20aa2940f0d8c2169c8408d6eada"),
}
"""The format and what is special, for ever."""


@pytest.mark.parametrize(("transaction", "previous", "expected"), VECTORS.values(), ids=VECTORS)
def test_vectors(transaction, previous, expected):
    assert link(previous, transaction).hex() == expected


def test_the_canonical_text_can_be_read():
    assert canonical(FIRST) == (
        "1,2,1000000,1000000,1700000000000000,1;4:acme;8:txn_0001;0:;0:;0:;0:;0:;1000000,6:grants,8:lot_0001;"
    )


def test_the_canonical_text_of_format_2_can_be_read():
    assert canonical(BARE) == (
        "2;1,2,1000000,1000000,1700000000000000,1;4:acme;8:txn_0001;0:;0:;0:;0:;0:;1000000,6:grants,8:lot_0001;"
    )
    price = sha256(SALTED.price_record).hexdigest()
    assert f"8:metering;64:{TEXTS_DIGEST};64:{price};" in canonical(SALTED)


def test_texts_are_digested_behind_their_lengths():
    texts = b"\x00" * 16 + b"3:a;b;2:{};"
    alike = [
        dataclasses.replace(BARE, salt=bytes(16), description=d, metadata=m)
        for d, m in [("a;b", "{}"), ("a;b;2:{}", "")]
    ]
    assert texts_digest(alike[0]) == sha256(texts).digest() != texts_digest(alike[1])
    assert texts_digest(BARE) == b""


def test_a_digest_beside_texts_stands_for_nothing():
    """Else a text could be exchanged and its digest be put in its place."""
    changed = dataclasses.replace(SALTED, description="another", erased_digest=bytes.fromhex(TEXTS_DIGEST))
    assert not changed.texts_erased
    assert link(GENESIS, changed) != link(GENESIS, SALTED)
    assert ERASED.texts_erased
    assert not BARE.texts_erased


CHANGES = [
    ("transaction_id", "txn_0003"),
    ("account_id", "Zoe\u0308 \N{SNOWMAN} \U0001f600"),
    ("version", 3),
    ("previous_id", ""),
    ("kind", TransactionKind.GRANT),
    ("amount", -(2**53) + 1),
    ("balance_after", 2**62 + 1),
    ("create_time_us", 1),
    ("source_id", "pur_2"),
    ("caller", "metering "),
    ("description", "two lines; 3:abc,"),
    ("metadata", '{"a": "b"}'),
    ("entries", [Entry("lot_0001", "usage", 2**53), Entry("debt", "usage", 1)]),
    ("entries", [Entry("lot_0001", "usage", 2**53 - 1)]),
    ("entries", [Entry("debt", "usage", 1), Entry("lot_0001", "usage", 2**53 - 1)]),
    ("entries", [Entry("lot_0001", "usage", 2**53 - 1), Entry("usage", "debt", 1)]),
]


OF_FORMAT_2 = [
    ("chain_format", 1),
    ("chain_format", 3),
    ("salt", bytes(16)),
    ("price_record", b""),
    ("price_record", b'{"amount":2}'),
]


@pytest.mark.parametrize("original", [UNICODE, SALTED], ids=["1", "2"])
@pytest.mark.parametrize(("field", "value"), CHANGES, ids=lambda value: value if isinstance(value, str) else "")
def test_any_change_changes_the_hash(original, field, value):
    changed = dataclasses.replace(original, **{field: value})
    assert link(GENESIS, changed) != link(GENESIS, original)


@pytest.mark.parametrize(("field", "value"), OF_FORMAT_2)
def test_any_change_of_what_format_2_adds_changes_the_hash(field, value):
    assert link(GENESIS, dataclasses.replace(SALTED, **{field: value})) != link(GENESIS, SALTED)


def test_the_hash_before_is_part_of_it():
    assert link(GENESIS, UNICODE) != link(bytes(31) + b"\x01", UNICODE)


def test_words_can_not_run_into_each_other():
    """What one column ends with and the next begins with is no secret way to say the same."""
    left = dataclasses.replace(FIRST, caller="a", description="bc")
    right = dataclasses.replace(FIRST, caller="ab", description="c")
    assert link(GENESIS, left) != link(GENESIS, right)
