"""What a past balance of an account costs does not grow with its history: 1,000,000 transactions cost at most ten times
what 1,000 cost. The short run has 20,000. The chains are written as rows, because a service would take minutes."""

import random
import sqlite3
from contextlib import closing
from statistics import median
from time import perf_counter

import pytest

from billing_service.commands.accounts.past_balance import PastMoment, past_balance
from billing_service.jobs.snapshots import Snapshots
from tests.support.databases import connect_to
from tests.support.doubles import SECOND_US, START_US
from tests.support.environments import environment_of
from tests.support.ledger_setup import open_account
from tests.support.run_length import LONG

MANY = 1_000_000 if LONG else 20_000
FEW = 1_000
MOMENTS = 20
CHUNK = 50_000
GRANTED = 10**12
TRANSACTION = (
    "INSERT INTO transactions (account_id, transaction_id, version, previous_id, kind, amount, balance_after,"
    " create_time_us, source_id, caller, description, metadata, hash) VALUES "
)
ENTRY = "INSERT INTO entries (account_id, transaction_id, position, source, destination, amount) VALUES "
ACCOUNT = (
    "UPDATE accounts SET version = {0}, last_transaction_id = '{1}', balance = {2}, caught_up_version = {0},"
    " last_time_us = {3} WHERE account_id = '{4}'"
)
LOT = "UPDATE lots SET remaining = {0} WHERE account_id = '{1}'"


def rows_of(account_id, first_id, count):
    """Deductions of 1 microcredit a second, after the grant."""
    previous = first_id
    for number in range(2, count + 1):
        transaction_id = f"txn_{account_id}_{number:012d}"
        time_us = START_US + number * SECOND_US
        left = GRANTED - number + 1
        yield (account_id, transaction_id, number, previous, 3, -1, left, time_us, "", "tests", "", "", b"")
        previous = transaction_id


async def write_chain(database, account_id, first_id, lot_id, count):
    rows = list(rows_of(account_id, first_id, count))
    entries = [(account_id, row[1], 0, lot_id, "usage", 1) for row in rows]
    left = GRANTED - count + 1
    ends = (
        ACCOUNT.format(count, rows[-1][1], left, rows[-1][7], account_id),
        LOT.format(left, account_id),
    )
    if database.store == "sqlite":
        with closing(sqlite3.connect(database.url.removeprefix("sqlite:///"))) as connection:
            connection.executemany(f"{TRANSACTION} ({', '.join('?' * 13)})", rows)
            connection.executemany(f"{ENTRY} (?, ?, ?, ?, ?, ?)", entries)
            for statement in ends:
                connection.execute(statement)
            connection.commit()
        return
    connection = await connect_to(database.url)
    names = TRANSACTION.partition("(")[2].partition(")")[0].split(", ")
    await connection.copy_records_to_table("transactions", records=rows, columns=[name.strip() for name in names])
    columns = ["account_id", "transaction_id", "position", "source", "destination", "amount"]
    await connection.copy_records_to_table("entries", records=entries, columns=columns)
    for statement in (*ends, "ANALYZE"):
        await connection.execute(statement)
    await connection.close()


async def seconds_for(environment, account_id, count):
    """The median of what moments at random cost; each balance is as the chain says."""
    chance, spent = random.Random(7), []
    for _ in range(MOMENTS):
        version = chance.randint(2, count)
        moment = PastMoment(time_us=START_US + version * SECOND_US + 1)
        begun = perf_counter()
        shown = await past_balance(environment, account_id, moment)
        spent.append(perf_counter() - begun)
        assert (shown.version, shown.available) == (version, GRANTED - version + 1)
        assert (await past_balance(environment, account_id, PastMoment(version=version)))[:-2] == shown[:-2]
    return median(spent)


@pytest.mark.timeout(900 if LONG else 120)
async def test_a_long_history_costs_at_most_ten_times_a_short_one(store, database, clock, ids):
    environment = environment_of(store, clock, ids)
    cost = {}
    for account_id, count in (("few", FEW), ("many", MANY)):
        await open_account(store, account_id, clock=clock, ids=ids, microcredits=GRANTED)
        first_id, lot_id = await _first(database, account_id)
        await write_chain(database, account_id, first_id, lot_id, count)
    clock.advance_s(MANY + 10)
    begun = perf_counter()
    written = await Snapshots(store).run()
    cost["snapshots"] = perf_counter() - begun
    assert written == MANY // 1_000 + FEW // 1_000
    for account_id, count in (("few", FEW), ("many", MANY)):
        cost[account_id] = await seconds_for(environment, account_id, count)
    assert cost["many"] <= 10 * cost["few"], cost


async def _first(database, account_id):
    """The transaction and the lot of the account's grant."""
    transaction = f"SELECT last_transaction_id FROM accounts WHERE account_id = '{account_id}'"
    lot = f"SELECT lot_id FROM lots WHERE account_id = '{account_id}'"
    if database.store == "sqlite":
        with closing(sqlite3.connect(database.url.removeprefix("sqlite:///"))) as connection:
            return connection.execute(transaction).fetchone()[0], connection.execute(lot).fetchone()[0]
    connection = await connect_to(database.url)
    found = await connection.fetchval(transaction), await connection.fetchval(lot)
    await connection.close()
    return found
