"""Backups made while callers spend: restored elsewhere, each holds all that was acknowledged before it began, once, and
proves it."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing

import grpc
import pytest
from prepaid.billing.v1 import transactions_pb2

from billing_service.domain.deployment import Mode
from billing_service.integrity.backup import back_up
from billing_service.integrity.heads import export_heads, read_heads
from billing_service.integrity.restore import restore_backup
from billing_service.integrity.verify import verify_ledger
from tests.support.client_journal import CREDIT, Callers, grant, stored, verify
from tests.support.databases import Database
from tests.support.ledger_check import ledger_problems
from tests.support.postgres_tools import run_tool
from tests.support.run_length import LONG
from tests.support.service_process import RECONNECT, running_process, service_settings

BACKUPS = 20 if LONG else 2
DEDUCTIONS_BETWEEN = 5_000 if LONG else 300
CALLERS = 32
GRANTED = {"a": 1_000_000, "b": 1_000_000, "poor": 100}


class Elsewhere:
    """Where backups of one store are made and restored."""

    def __init__(self, request, database, directory):
        self.store = database.store
        self._request = request
        self._database = database
        self._directory = directory

    def back_up(self, number):
        file = self._directory / f"{number}.backup"
        if self.store == "sqlite":
            return file, back_up(self._database.path, file)
        run_tool("pg_dump", "--format=custom", f"--file={file}", self._database.url)
        return file, None

    @asynccontextmanager
    async def restored(self, file):
        """A database that holds the backup and nothing else."""
        if self.store == "sqlite":
            path = self._directory / f"{file.name}.restored" / "ledger.db"
            await restore_backup(file, path, Mode.SANDBOX)
            yield Database("sqlite", f"sqlite:///{path}")
            return
        server = self._request.getfixturevalue("postgres")
        url = await asyncio.to_thread(server.empty)
        try:
            await asyncio.to_thread(
                run_tool, "pg_restore", "--exit-on-error", "--single-transaction", f"--dbname={url}", file
            )
            yield Database("postgresql", url)
        finally:
            await asyncio.to_thread(server.drop, url)


@pytest.fixture
def elsewhere(request, database, tmp_path):
    directory = tmp_path / "elsewhere"
    directory.mkdir()
    return Elsewhere(request, database, directory)


async def heads_of(database, path):
    store = await database.open()
    try:
        exported = await export_heads(store, path)
        return exported, read_heads(path)
    finally:
        await store.close()


async def proven(database, heads):
    store = await database.open()
    try:
        return await verify_ledger(store, heads=heads)
    finally:
        await store.close()


@asynccontextmanager
async def spending(service, journal, seed):
    """Callers who spend for as long as the block lasts."""
    async with grpc.aio.insecure_channel(service.address, RECONNECT) as channel:
        for account_id, given in GRANTED.items():
            await grant(channel, account_id, given)
        callers = Callers(channel, journal, list(GRANTED), seed, pause_s=0.05)
        async with callers.at_work(range(CALLERS)):
            yield callers
        await callers.settle(journal.having("unknown"))
        await verify(channel)


def withheld(database):
    """(account, key) and transaction of each deduction that a database holds; one row for each, and each is the
    journal's."""
    keys, deductions, _ = stored(database)
    replies = [
        ((account_id, key), transactions_pb2.DeductCreditsResponse.FromString(reply).transaction_id)
        for account_id, key, reply in keys
        if not key.startswith("g-")
    ]
    assert sorted(transaction_id for _, transaction_id in replies) == sorted(
        transaction_id for _, transaction_id, _ in deductions
    )
    return dict(replies), {transaction_id: -amount for _, transaction_id, amount in deductions}


@pytest.mark.timeout(900 if LONG else 120)
async def test_each_backup_holds_what_was_acknowledged_before_it(  # noqa: PLR0917 - fixtures
    database, elsewhere, forker, journal, seed, tmp_path
):
    made = []
    async with running_process(forker, service_settings(database), tmp_path / "service.log") as service:
        async with spending(service, journal, seed):
            for number in range(BACKUPS):
                await journal.until_acknowledged((number + 1) * DEDUCTIONS_BETWEEN)
                # SQLite's file belongs to the service alone, which exports heads by itself; PostgreSQL is there for
                # both.
                heads = (
                    (await heads_of(database, tmp_path / f"heads-{number}"))[1]
                    if database.store == "postgresql"
                    else {}
                )
                before = {attempt.key: attempt for attempt in journal.having("ok")}
                file, manifest = await asyncio.to_thread(elsewhere.back_up, number)
                made.append((file, manifest, heads, before))
                assert len(journal.having("ok")) > len(before), "nobody was served while the backup was made"
        assert await service.stop() == 0
    last = (await heads_of(database, tmp_path / "heads-last"))[1]
    for file, manifest, heads, before in made:
        async with elsewhere.restored(file) as restored:
            check(restored, before, journal)
            assert (await proven(restored, heads)).differences == []
            newer = (await proven(restored, last)).differences
            assert {difference.subject for difference in newer} == {"version is not below the exported head's"}
            if manifest is not None:
                assert (await heads_of(restored, tmp_path / f"{file.name}.heads"))[0].digest == manifest.contents.heads


def check(restored, before, journal):
    if restored.store == "sqlite":
        with closing(sqlite3.connect(f"file:{restored.path}?mode=ro", uri=True)) as connection:
            assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    assert ledger_problems(restored) == []
    replies, amounts = withheld(restored)
    for attempt in before.values():
        assert replies[attempt.account_id, attempt.key] == attempt.transaction_id
    known = {(attempt.account_id, attempt.key): attempt for attempt in journal.having("ok")}
    for name, transaction_id in replies.items():
        assert (known[name].transaction_id, known[name].amount) == (transaction_id, amounts[transaction_id])
    assert len(before) <= len(replies) < len(known)


async def test_a_service_on_a_restored_backup_goes_on(  # noqa: PLR0917 - fixtures
    database, elsewhere, forker, journal, seed, tmp_path
):
    """The acknowledged replay, what came after the backup may be asked for again, and the chains go on."""
    async with running_process(forker, service_settings(database), tmp_path / "service.log") as service:
        async with spending(service, journal, seed) as callers:
            await journal.until_acknowledged(DEDUCTIONS_BETWEEN)
            before = journal.having("ok")
            file, _ = await asyncio.to_thread(elsewhere.back_up, 0)
        assert await service.stop() == 0
    async with elsewhere.restored(file) as restored:
        kept = set(withheld(restored)[0])
        async with (
            running_process(forker, service_settings(restored), tmp_path / "restored.log") as again,
            grpc.aio.insecure_channel(again.address) as channel,
        ):
            callers.stub = Callers(channel, journal, [], seed).stub
            await callers.settle(before)
            lost = [attempt for attempt in journal.having("ok") if (attempt.account_id, attempt.key) not in kept]
            for attempt in lost:
                attempt.transaction_id = ""
            await callers.settle(lost)
            await verify(channel)
            assert await again.stop() == 0
        assert lost
        assert ledger_problems(restored) == []
        replies, amounts = withheld(restored)
        assert replies == {
            (attempt.account_id, attempt.key): attempt.transaction_id for attempt in journal.having("ok")
        }
        balances = stored(restored)[2]
        for account_id, given in GRANTED.items():
            spent = sum(amounts[t] for (owner, _), t in replies.items() if owner == account_id)
            assert balances[account_id] == given * CREDIT - spent
