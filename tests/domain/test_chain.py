"""The hash chain's canonical bytes, fixed for ever by vectors: the same on every store and in every version."""

import dataclasses

import pytest

from billing_service.domain.ledger.chain import GENESIS, canonical, link
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
)
VECTORS = [
    (FIRST, GENESIS, "9b5f964fc6ca50e76b3580f67585f1fe3d00ae889219ac1cd3fa9802de2c5d37"),
    (UNICODE, bytes(range(32)), "8b79215de41062f499491a85d2963c2e42bb3e82eb1442f9800ea85afe0e4d95"),
]


@pytest.mark.parametrize(("transaction", "previous", "expected"), VECTORS, ids=["plain", "unicode-and-big-numbers"])
def test_vectors(transaction, previous, expected):
    assert link(previous, transaction).hex() == expected


def test_the_canonical_text_can_be_read():
    assert canonical(FIRST) == (
        "1,2,1000000,1000000,1700000000000000,1;4:acme;8:txn_0001;0:;0:;0:;0:;0:;1000000,6:grants,8:lot_0001;"
    )


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


@pytest.mark.parametrize(("field", "value"), CHANGES, ids=lambda value: value if isinstance(value, str) else "")
def test_any_change_changes_the_hash(field, value):
    changed = dataclasses.replace(UNICODE, **{field: value})
    assert link(GENESIS, changed) != link(GENESIS, UNICODE)


def test_the_hash_before_is_part_of_it():
    assert link(GENESIS, UNICODE) != link(bytes(31) + b"\x01", UNICODE)


def test_words_can_not_run_into_each_other():
    """What one column ends with and the next begins with is no secret way to say the same."""
    left = dataclasses.replace(FIRST, caller="a", description="bc")
    right = dataclasses.replace(FIRST, caller="ab", description="c")
    assert link(GENESIS, left) != link(GENESIS, right)
