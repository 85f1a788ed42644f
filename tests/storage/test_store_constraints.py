"""The database refuses what no ledger holds, whoever asks."""

import sqlite3

import asyncpg
import pytest

from billing_service.domain.catalogue.rate_card_versions import StoredCard
from billing_service.domain.ledger.amounts import BALANCE_MAX
from billing_service.storage.rows.rate_cards import RATE_CARDS
from billing_service.storage.schema import APPEND_ONLY
from tests.storage.raw_units import CONSTRAINT_ERRORS, outside, read_unit, write_unit
from tests.support.ledger_setup import open_account

DEFAULTS = {
    "accounts": {
        "account_id": "'beta'",
        "version": "0",
        "last_transaction_id": "''",
        "last_hash": ":blob",
        "balance": "0",
        "debt": "0",
        "set_aside": "0",
        "overdraft_limit": "0",
        "frozen": "0",
        "create_time_us": "1",
        "debt_max": "-1",
    },
    "lots": {
        "account_id": "'acme'",
        "lot_id": "'lot_x'",
        "category": "3",
        "priority": "50",
        "amount": "10",
        "remaining": "10",
        "is_open": "1",
        "create_time_us": "1",
        "effective_time_us": "1",
        "expire_time_us": "NULL",
        "source_id": "''",
        "expired": "0",
        "ended_to": "''",
    },
    "transactions": {
        "account_id": "'acme'",
        "transaction_id": "'txn_x'",
        "version": "2",
        "previous_id": "'txn_w'",
        "kind": "3",
        "amount": "1",
        "balance_after": "1",
        "create_time_us": "1",
        "source_id": "''",
        "caller": "''",
        "description": "''",
        "metadata": "''",
        "hash": ":blob",
    },
    "entries": {
        "account_id": "'acme'",
        "transaction_id": "'txn_x'",
        "position": "0",
        "source": "'grants'",
        "destination": "'lot_x'",
        "amount": "1",
    },
    "deduction_reversals": {"account_id": "'acme'", "transaction_id": "'txn_x'", "reversed": "1"},
    "referrals": {
        "account_id": "'acme'",
        "referrer_account_id": "'beta'",
        "state": "'PENDING'",
        "bonus": "1",
        "purchase_id": "''",
        "referee_lot_id": "''",
        "referrer_lot_id": "''",
        "referee_taken": "0",
        "referrer_taken": "0",
        "create_time_us": "1",
        "reward_time_us": "NULL",
    },
    "purchase_references": {"reference": "'cs_1'", "account_id": "'acme'", "purchase_id": "'pur_1'"},
}
NONSENSE = [
    ("accounts", {"balance": "-1"}),
    ("accounts", {"balance": "-6", "debt": "5"}),
    ("accounts", {"balance": str(BALANCE_MAX + 1)}),
    ("accounts", {"debt": "-1"}),
    ("accounts", {"debt": str(BALANCE_MAX + 1)}),
    ("accounts", {"set_aside": "-1"}),
    ("accounts", {"overdraft_limit": "-1"}),
    ("accounts", {"debt_max": "-2"}),
    ("lots", {"expired": "-1"}),
    ("accounts", {"frozen": "2"}),
    ("accounts", {"version": "-1"}),
    ("accounts", {"account_id": "NULL"}),
    ("lots", {"remaining": "-1"}),
    ("lots", {"remaining": "-1", "is_open": "0"}),
    ("lots", {"remaining": "11"}),
    ("lots", {"remaining": "0"}),
    ("lots", {"is_open": "0"}),
    ("lots", {"amount": "0", "remaining": "0", "is_open": "0"}),
    ("lots", {"category": "0"}),
    ("lots", {"category": "4"}),
    ("lots", {"priority": "-1"}),
    ("lots", {"priority": "101"}),
    ("lots", {"effective_time_us": "NULL"}),
    ("transactions", {"version": "0"}),
    ("transactions", {"kind": "0"}),
    ("transactions", {"kind": "14"}),
    ("entries", {"amount": "0"}),
    ("entries", {"amount": "-1"}),
    ("entries", {"destination": "'grants'"}),
    ("deduction_reversals", {"reversed": "0"}),
    ("referrals", {"referrer_account_id": "'acme'"}),
    ("referrals", {"state": "'DONE'"}),
    ("purchase_references", {"reference": "NULL"}),
]


def insert(table, changes):
    values = DEFAULTS[table] | changes
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(values.values())})"


@pytest.mark.unchecked_ledger
@pytest.mark.parametrize(
    ("table", "changes"), NONSENSE, ids=lambda value: value if isinstance(value, str) else "-".join(value.values())
)
async def test_nonsense_is_refused(store, database, table, changes):
    with pytest.raises(CONSTRAINT_ERRORS):
        await store.write(write_unit(insert(table, changes)))
    assert outside(database, f"SELECT count(*) FROM {table}") == [(0,)]


@pytest.mark.unchecked_ledger
@pytest.mark.parametrize("table", DEFAULTS)
async def test_what_is_refused_is_the_nonsense(store, table):
    assert await store.write(write_unit(insert(table, {}))) == [1]
    with pytest.raises(CONSTRAINT_ERRORS):
        await store.write(write_unit(insert(table, {})))


WRONG_TYPES = [
    ("lots", "remaining", "'12abc'"),
    ("lots", "amount", "'ten'"),
    ("entries", "amount", "1.5"),
    ("accounts", "balance", "'x'"),
]


@pytest.mark.unchecked_ledger
@pytest.mark.parametrize(("table", "column", "value"), WRONG_TYPES)
async def test_amounts_are_whole_numbers(store, database, table, column, value):
    """PostgreSQL rounds a numeric literal to an integer; text it refuses. SQLite's STRICT tables refuse both."""
    if database.store == "postgresql" and value == "1.5":
        await store.write(write_unit(insert(table, {column: value})))
        assert outside(database, f"SELECT {column} FROM {table}") == [(2,)]
        return
    with pytest.raises((sqlite3.IntegrityError, asyncpg.DataError)):
        await store.write(write_unit(insert(table, {column: value})))


async def test_every_sqlite_table_is_strict(sqlite_template):
    connection = sqlite3.connect(sqlite_template)
    try:
        loose = connection.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0"
        ).fetchall()
    finally:
        connection.close()
    assert {row[0] for row in loose} <= {"sqlite_schema", "sqlite_stat1", "alembic_version"}


CHANGES = [
    ("transactions", "UPDATE transactions SET amount = amount + 1"),
    ("transactions", "DELETE FROM transactions"),
    ("entries", "UPDATE entries SET amount = amount + 1"),
    ("entries", "UPDATE entries SET destination = 'usage' WHERE position = 0"),
    ("entries", "DELETE FROM entries WHERE position = 0"),
    ("audit_records", "UPDATE audit_records SET caller = 'nobody'"),
    ("audit_records", "DELETE FROM audit_records"),
    ("rate_cards", "UPDATE rate_cards SET markup_ppm = 0"),
    ("rate_cards", "DELETE FROM rate_cards"),
]


@pytest.mark.parametrize(("table", "statement"), CHANGES)
async def test_history_is_never_changed(store, clock, ids, table, statement):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=5)
    await store.write(
        write_unit(
            "INSERT INTO audit_records (audit_id, create_time_us, caller, peer, method, account_id, detail) "
            "VALUES ('aud_1', 1, 'ops', '', 'GrantCredits', 'acme', '')"
        )
    )
    await store.write(lambda: RATE_CARDS.add(StoredCard("v", 1, 1, 1, 1, "by hand", 1, 1, b"card")))
    everything = read_unit(f"SELECT * FROM {table}")
    before = await store.read(everything)
    assert len(before) == 1
    with pytest.raises((sqlite3.IntegrityError, asyncpg.RaiseError), match="append-only"):
        await store.write(write_unit(statement))
    assert await store.read(everything) == before


def test_every_append_only_table_is_tried():
    assert {table for table, _ in CHANGES} == set(APPEND_ONLY)
