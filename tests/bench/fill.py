"""Gives seeded accounts a history: deductions like those of the load generator, posted by the service's own write path
in large batches."""

import sqlite3
from contextlib import closing
from itertools import islice
from random import Random
from types import SimpleNamespace

from prepaid.billing.v1 import transactions_pb2

from billing_service.api.pipeline import Call
from billing_service.api.servicers.deductions import deduction_of
from billing_service.clock import TimeOrderedIds, system_clock_us
from billing_service.domain.refusals import Refusal
from billing_service.domain.spending.deductions import STANDARD_TERMS
from billing_service.ledger.account_cache import AccountCache
from billing_service.ledger.operations.deduct import Deduct
from billing_service.ledger.posting import Judgement, post_batch
from billing_service.storage.database_url import SqliteFile, parse_database_url
from billing_service.storage.postgres.connect import connect
from billing_service.storage.store import Store
from tests.bench import calls

CALL = Call("DeductCredits", SimpleNamespace(peer=lambda: "memory"))
CALL.caller = "local"
"""As whom a service without authentication knows everybody."""
DEDUCTIONS_A_TRANSACTION = 20_000


async def fill(store: Store, accounts: int, transactions: int) -> None:
    """Posts so many deductions, in turns over the accounts of `calls.account_id`. RuntimeError when one of them is
    refused."""
    random, cache = Random(), AccountCache()
    judgement = Judgement(system_clock_us, TimeOrderedIds(), STANDARD_TERMS)
    encode = calls.deduct_credits(accounts, calls.time_ordered_keys(random), random)
    left = iter(range(transactions))
    while operations := [_operation(encode()) for _ in islice(left, DEDUCTIONS_A_TRANSACTION)]:
        posted = await store.write(lambda operations=operations: post_batch(operations, judgement, cache, saw=None))  # type: ignore[misc]
        refused = next((outcome for outcome in posted.outcomes if isinstance(outcome, Refusal)), None)
        if refused is not None:
            raise RuntimeError(f"a deduction of the history was refused: {refused}")
        assert not posted.changed, "nobody else writes to the ledger that is filled"
        cache.keep(posted.moved)


def _operation(request: bytes) -> Deduct:
    return deduction_of(transactions_pb2.DeductCreditsRequest.FromString(request[calls.PREFIX_BYTES :]), CALL)


async def settle(database_url: str) -> None:
    """What PostgreSQL would do by itself after such a flood of rows, done now, so that it doesn't do it while something
    is measured."""
    connection = await connect(parse_database_url(database_url))
    try:
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def count_transactions(database_url: str) -> int:
    """All that the ledger holds, of whatever kind."""
    counting = "SELECT count(*) FROM transactions"
    database = parse_database_url(database_url)
    if isinstance(database, SqliteFile):
        with closing(sqlite3.connect(database.path)) as file:
            return int(file.execute(counting).fetchone()[0])
    connection = await connect(database)
    try:
        return int(await connection.fetchval(counting))
    finally:
        await connection.close()
