"""Ids mean the same on every store: compared and ordered byte by byte."""

import itertools
import unicodedata

import pytest

from billing_service.storage.migrations.versions.m0001_initial import keeps_ranges
from billing_service.storage.rows.catching_up import lock_accounts
from billing_service.storage.rows.keys import answer_key, find_keys, free_key, insert_keys
from billing_service.storage.rows.ledger import LostUpdateError, read_accounts
from billing_service.storage.rows.ledger_statements import INSERT_ACCOUNT
from billing_service.storage.schema import TIME_LED_KEYS, Id, metadata
from tests.storage.raw_units import outside, read_unit
from tests.support.ledger_setup import open_account

NFC = unicodedata.normalize("NFC", "Ame\u0301lie")
NFD = unicodedata.normalize("NFD", "Ame\u0301lie")
ALIKE = [
    "acme",
    "Acme",
    "ACME",
    "acme ",
    " acme",
    "acme\t",
    NFC,
    NFD,
    "\uff41cme",
    "\u0430cme",
    "\u0131",
    "i",
    "I",
    "\u0130",
    "ß",
    "ss",
]
ODD = [
    "🙂",
    "👩‍👩‍👧",
    "\u202eemca",
    "a'b",
    'a"b',
    "a\\b",
    "a%b",
    "a_b",
    "a;--",
    "{a}",
    "[1]",
    "null",
    "1",
    "1.0",
    "01",
    "x" * 128,
]


@pytest.mark.parametrize("names", [ALIKE, ODD], ids=["alike", "odd"])
async def test_each_id_is_itself_alone(store, clock, names):
    def insert():
        for name in names:
            yield INSERT_ACCOUNT(name, clock())

    await store.write(insert)
    for name in names:
        found = await store.read(lambda name=name: read_accounts([name]))
        assert list(found) == [name]
        assert list(await store.write(lambda name=name: lock_accounts([name]))) == [name]
    assert set(await store.read(lambda: read_accounts(names))) == set(names)


async def test_making_an_account_again_changes_nothing(store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=5)

    def again():
        return (yield INSERT_ACCOUNT("acme", clock()))

    assert await store.write(again) == 0
    assert (await store.read(lambda: read_accounts(["acme"])))["acme"].balance == 5


async def test_accounts_are_locked_in_the_order_of_their_bytes(store, clock):
    names = [*ALIKE, *ODD, "Z", "a", "é", "~", "\U0001f600", "\uffee"]

    def insert():
        for name in names:
            yield INSERT_ACCOUNT(name, clock())

    await store.write(insert)
    locked = list(await store.write(lambda: lock_accounts(list(reversed(names)))))
    assert locked == sorted(names, key=lambda name: name.encode())


async def test_every_id_column_compares_bytes(database):
    """A database of another locale would order and fold otherwise: each id says for itself how it is compared."""
    expected = {
        (table.name, column.name) for table in metadata.tables.values() for column in table.columns if column.type is Id
    }
    if database.store == "sqlite":
        sql = outside(database, "SELECT group_concat(sql) FROM sqlite_master")[0][0]
        assert "COLLATE" not in sql.upper()  # without one, SQLite compares bytes
        return
    rows = outside(
        database,
        "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_collation l "
        "ON l.oid = a.attcollation "
        "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND l.collname = 'C'",
    )
    assert {tuple(row) for row in rows} == expected


KEYS = ["k", "K", "k ", NFC, NFD, "🙂", "x" * 255, "x" * 256, "y" * 255 + "a", "y" * 255 + "b"]


async def test_keys_differ_by_account_value_and_scope(store, clock):
    ids = list(itertools.product(["acme", "Acme", "acme "], KEYS, ["web/Deduct", "web/Refund", "Web/Deduct"]))
    rows = [
        (*key, f"print {number}".encode(), f"reply {number}".encode(), "", clock()) for number, key in enumerate(ids)
    ]

    def accounts():
        for name in ("acme", "Acme", "acme "):
            yield INSERT_ACCOUNT(name, clock())

    await store.write(accounts)
    await store.write(lambda: insert_keys(rows))
    for number, key in enumerate(ids):
        assert (await store.read(lambda key=key: find_keys([key])))[key].reply == f"reply {number}".encode()
    found = await store.read(lambda: find_keys(ids))
    assert {key: stored.fingerprint for key, stored in found.items()} == {row[:3]: row[3] for row in rows}


async def test_keys_never_answer_for_neighbours(store, clock):
    await store.write(write_account("acme", clock))
    await store.write(
        lambda: insert_keys(
            [("acme", "one", "web/A", b"f", b"r", "", clock()), ("acme", "two", "web/B", b"f", b"r", "", clock())]
        )
    )
    crossed = [("acme", "one", "web/B"), ("acme", "two", "web/A"), ("beta", "one", "web/A"), ("acme", "three", "web/A")]
    found = await store.read(lambda: find_keys(crossed))
    assert not set(found) & set(crossed)
    assert await store.read(lambda: find_keys([])) == {}


def write_account(name, clock):
    def work():
        yield INSERT_ACCOUNT(name, clock())

    return work


@pytest.mark.unchecked_ledger
async def test_a_key_that_is_not_there_is_neither_answered_nor_freed(store):
    for unit in (lambda: answer_key(("acme", "k", "s"), b"reply"), lambda: free_key(("acme", "k", "s"))):
        with pytest.raises(LostUpdateError):
            await store.write(unit)


async def test_a_key_without_a_reply_is_answered_later_or_freed(store, clock):
    await store.write(write_account("acme", clock))
    await store.write(
        lambda: insert_keys(
            [("acme", "k1", "s", b"f", None, "pur_1", clock()), ("acme", "k2", "s", b"f", None, "pur_2", clock())]
        )
    )
    await store.write(lambda: answer_key(("acme", "k1", "s"), b"reply"))
    await store.write(lambda: free_key(("acme", "k2", "s")))
    found = await store.read(lambda: find_keys([("acme", "k1", "s"), ("acme", "k2", "s")]))
    assert found == {("acme", "k1", "s"): (b"f", b"reply", "pur_1")}


async def test_primary_keys_lead_with_time(database):
    """New rows go to the end of an index, and the account is part of each key, so that rows can be distributed by
    it."""
    for table, columns in TIME_LED_KEYS.items():
        if database.store == "sqlite":
            rows = outside(database, f"SELECT name FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk")
        else:
            rows = outside(
                database,
                f"SELECT a.attname FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k (number, place), "
                f"pg_attribute a "
                f"WHERE i.indrelid = '{table}'::regclass AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum "
                f"= k.number "
                f"ORDER BY k.place",
            )
        assert tuple(row[0] for row in rows) == columns
        assert "account_id" in columns


@pytest.mark.parametrize(
    ("version", "ranges"),
    [
        ("PostgreSQL 18.0 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit", False),
        ("CockroachDB CCL v25.2.1 (x86_64-pc-linux-gnu, built 2025/06/04, go1.23.7)", True),
        ("PostgreSQL 15.2-YB-2025.1.0.0-b0 on x86_64-pc-linux-gnu", True),
    ],
)
def test_databases_of_ranges_keep_the_account_first(version, ranges):
    assert keeps_ranges(version) is ranges


async def test_rows_are_there_to_read(store, clock):
    await store.write(write_account("acme", clock))
    assert await store.read(read_unit("SELECT account_id FROM accounts")) == [("acme",)]
