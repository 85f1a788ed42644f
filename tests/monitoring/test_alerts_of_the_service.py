"""Each alert about the service is fired once, by breaking what it watches on the running product."""

import asyncio
import shutil
import sqlite3
from contextlib import asynccontextmanager, closing

import pytest
from billing_client.errors import BillingError

from billing_service.storage.sqlite import store as sqlite_store
from tests.monitoring.alert_rules import RULES, Scrape, check
from tests.support.databases import connect_to
from tests.support.stack import CREDIT
from tests.support.tampering import tamper

OFTEN = {"BILLING_VERIFY_INTERVAL_S": "0.1", "BILLING_HEADS_INTERVAL_S": "1"}


async def until(condition):
    async with asyncio.timeout(20):
        # A page of metrics, which tells nobody of its changes.
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def given(stack, account_id, credit=1_000):
    await stack.client.grant_credits(account_id=account_id, amount_microcredits=credit * CREDIT, reason="gift")


async def failing(*calls):
    """Lets all calls end; each must fail."""
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(end, BillingError) for end in ends), ends


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_business_as_usual_fires_nothing(watched, database, tmp_path):
    heads = tmp_path / "heads"
    heads.mkdir()
    settings = OFTEN | {"BILLING_HEADS_DIRECTORY": str(heads)}
    async with watched(database.url, **settings) as running:
        await until(lambda: running.sample("billing_serving{}"))
        before = running.scrape()
        await running.stack.buy("alice")
        for number in range(20):
            await running.stack.client.deduct_credits(
                account_id="alice", amount_microcredits=CREDIT, idempotency_key=f"k{number % 15}"
            )
        runs = 'billing_job_runs_total{loop="%s",outcome="ok"}'
        await until(lambda: all(running.sample(runs % loop) >= 1 for loop in ("verification", "heads")))
        check(tmp_path, before, running.scrape(), quiet=RULES)


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_nobody_answers(watched, database, tmp_path):
    async with watched(database.url) as running:
        await until(lambda: running.sample("billing_serving{}"))
        before = running.scrape()
    check(tmp_path, before, Scrape(), fired=["BillingGone", "WebhookGatewayGone"])


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_too_many_calls(watched, database, tmp_path):
    async with watched(database.url, BILLING_IN_FLIGHT_MAX="1") as running:
        await given(running.stack, "alice")
        before = running.scrape()
        calls = (running.wire.call("GetBalance", account_id="alice") for _ in range(20))
        assert any(isinstance(end, BillingError) for end in await asyncio.gather(*calls, return_exceptions=True))
        check(tmp_path, before, running.scrape(), fired=["BillingOverloaded"])


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_accounts_that_others_change_all_the_time(watched, database, tmp_path):
    names = [f"account-{number}" for number in range(22)]
    async with watched(database.url) as running:
        for name in names:
            await given(running.stack, name)
            await running.stack.client.deduct_credits(account_id=name, amount_microcredits=CREDIT)
        before = running.scrape()
        for name in names:  # changed behind the cache, as another process would
            await given(running.stack, name)
            await running.stack.client.deduct_credits(account_id=name, amount_microcredits=CREDIT)
        check(tmp_path, before, running.scrape(), fired=["BillingBatchesRunAgain"])


@asynccontextmanager
async def lock_held(database):
    """Somebody else holds the account's row, or all of a SQLite file."""
    if database.store == "sqlite":
        with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        return
    connection = await connect_to(database.url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("SELECT 1 FROM accounts WHERE account_id = 'alice' FOR UPDATE")
    yield
    await transaction.rollback()
    await connection.close()


async def test_locks_that_others_hold(watched, database, tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_store, "BUSY_TIMEOUT_S", 0.6)
    async with watched(database.url) as running:
        await given(running.stack, "alice")
        before = running.scrape()
        async with lock_held(database):
            await failing(running.wire.do("DeductCredits", account_id="alice", amount_microcredits=CREDIT))
        check(
            tmp_path,
            before,
            running.scrape(),
            fired=["BillingConflicts", "BillingDatabaseTimeouts", "BillingDeductionsSlow"],
        )


@pytest.mark.parametrize("store_name", ["sqlite"])
@pytest.mark.unchecked_ledger
async def test_the_database_is_gone(watched, database, tmp_path):
    async with watched(database.url) as running:
        await given(running.stack, "alice")
        await until(lambda: running.sample("billing_serving{}"))
        before = running.scrape()
        away = database.path.with_name("away.db")
        database.path.rename(away)
        await failing(running.wire.do("DeductCredits", account_id="alice", amount_microcredits=CREDIT))
        await until(lambda: not running.sample("billing_serving{}"))
        check(tmp_path, before, running.scrape(), fired=["BillingNotServing", "BillingStorageFailing"])
        away.rename(database.path)


@pytest.mark.parametrize("store_name", ["sqlite"])
@pytest.mark.unchecked_ledger
async def test_what_jobs_need_is_gone(watched, database, tmp_path):
    heads = tmp_path / "heads"
    heads.mkdir()
    settings = OFTEN | {"BILLING_HEADS_DIRECTORY": str(heads)}
    async with watched(database.url, **settings) as running:
        await given(running.stack, "alice")
        runs = 'billing_job_runs_total{loop="%s",outcome="%s"}'
        await until(lambda: all(running.sample(runs % (loop, "ok")) for loop in ("verification", "heads")))
        before = running.scrape()
        shutil.rmtree(heads)
        with closing(sqlite3.connect(database.path)) as connection:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("ALTER TABLE lots RENAME TO lots_elsewhere")
        await until(lambda: all(running.sample(runs % (loop, "failed")) for loop in ("verification", "heads")))
        since = running.scrape()
        await failing(running.wire.do("DeductCredits", account_id="alice", amount_microcredits=CREDIT))
        after = running.scrape()
        for job in ("verification_completed", "heads_exported"):
            assert (
                since.samples[f"billing_{job}_timestamp_seconds{{}}"]
                == after.samples[f"billing_{job}_timestamp_seconds{{}}"]
            )
        fired = ["BillingDefect", "BillingHeadsOverdue", "BillingJobFailing", "BillingVerificationOverdue"]
        check(tmp_path, before, after, fired=fired)


@pytest.mark.parametrize("store_name", ["sqlite"])
@pytest.mark.unchecked_ledger
async def test_a_balance_that_was_corrupted(watched, database, tmp_path):
    async with watched(database.url, **OFTEN) as running:
        await given(running.stack, "alice")
        ok = 'billing_job_runs_total{loop="verification",outcome="ok"}'
        await until(lambda: running.sample(ok))
        before = running.scrape()
        await asyncio.to_thread(
            tamper, database, "UPDATE accounts SET balance = balance + 1 WHERE account_id = 'alice'"
        )
        await until(lambda: running.sample("billing_verification_faulty_accounts{}"))
        await until(lambda: running.sample(ok) > before.samples[ok] + 1)
        with pytest.raises(BillingError, match="frozen"):
            await running.stack.client.deduct_credits(account_id="alice", amount_microcredits=CREDIT)
        check(tmp_path, before, running.scrape(), fired=["BillingLedgerFault"])


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_callers_without_a_key(watched, database, tmp_path):
    async with watched(database.url, BILLING_AUTH="keys") as running:
        before = running.scrape()
        await failing(*(running.wire.call("GetBalance", account_id="alice") for _ in range(25)))
        check(tmp_path, before, running.scrape(), fired=["BillingCallersRefused"])
