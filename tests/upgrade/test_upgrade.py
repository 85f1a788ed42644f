"""This program and a newer one, on this schema and on a newer one, and a migration that is killed at each of its
steps."""

import asyncio
import signal

import grpc
import pytest

from tests.support.client_journal import CREDIT, Callers, grant, reconcile, stored, verify
from tests.support.ledger_check import ledger_problems
from tests.support.service_process import RECONNECT, StartFailedError, running_process, service_settings
from tests.upgrade.newer_program import OLDER, REVISION, query, run_migrate, schema

GIVEN = {"a": 1_000_000, "b": 1_000_000}
POINTS_MAX = 60
CALLERS = 16


@pytest.fixture
async def filled(database, forker, tmp_path):
    """A database that a service of this program has used."""
    async with (
        running_process(forker, service_settings(database), tmp_path / "filled.log") as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        for account_id, given in GIVEN.items():
            await grant(channel, account_id, given)
        assert await service.stop() == 0
    return database


def upgraded(newer, database):
    code, said = newer.migrate(database)
    assert code == 0, said
    assert query(database, "SELECT version_num FROM alembic_version") == [(REVISION,)]


async def refused_to_start(forker, settings, log):
    with pytest.raises(StartFailedError) as failed:
        async with running_process(forker, settings, log):
            pass
    return str(failed.value)


async def test_a_newer_program_on_an_older_schema(filled, newer_forker, tmp_path):
    """It asks for the migration, or applies it where it may."""
    before, settings = schema(filled), service_settings(filled)
    said = await refused_to_start(newer_forker, settings, tmp_path / "refused.log")
    assert f"at migration {OLDER}, this program needs {REVISION}: run `billing migrate`" in said
    assert schema(filled) == before
    settings["BILLING_MIGRATE_ON_START"] = "true"
    async with running_process(newer_forker, settings, tmp_path / "newer.log") as service:
        async with grpc.aio.insecure_channel(service.address) as channel:
            await grant(channel, "c", 5)
            await verify(channel)
        assert await service.stop() == 0
    assert query(filled, "SELECT account_id, note FROM accounts ORDER BY account_id") == [
        ("a", "older than notes"),
        ("b", "older than notes"),
        ("c", None),
    ]


@pytest.mark.parametrize("on_start", ["true", "false"])
async def test_an_older_program_does_not_start_on_a_newer_schema(filled, newer, forker, tmp_path, on_start):
    upgraded(newer, filled)
    before = schema(filled), stored(filled)
    settings = service_settings(filled) | {"BILLING_MIGRATE_ON_START": on_start}
    words = f"at migration {REVISION}, which this program does not know"
    assert words in await refused_to_start(forker, settings, tmp_path / "refused.log")
    code, said = await asyncio.to_thread(run_migrate, filled)
    assert code == 1
    assert words in said
    assert "Traceback" not in said
    assert (schema(filled), stored(filled)) == before


async def test_a_migration_that_is_killed_at_any_step_leaves_all_or_nothing(filled, newer):
    """And is there whole, once, after it was tried again: what it filled in, it filled in once."""
    rows, before = stored(filled), schema(filled)
    kills, process = 0, newer.dying_migration(filled)
    with process:
        for point in range(1, POINTS_MAX):
            process.stdin.write(f"{point}\n")
            process.stdin.flush()
            ended = int(await asyncio.to_thread(process.stdout.readline))
            seen = schema(filled)
            if ended == 0:
                break
            assert ended == -signal.SIGKILL
            assert stored(filled) == rows
            kills += 1
            if seen != before:
                assert seen[1] == [(REVISION,)]
                assert filled.store == "postgresql", "after its commit SQLite's migration has nothing more to do"
        process.stdin.close()
    assert ended == 0
    assert kills >= 9, "not every statement was met"
    assert len(query(filled, "SELECT account_id FROM notes")) == len(GIVEN)
    upgraded(newer, filled)
    assert (schema(filled), stored(filled)) == (seen, rows)
    assert ledger_problems(filled) == []


@pytest.mark.parametrize("store_name", ["postgresql"])
async def test_a_migration_beside_a_program_that_runs(  # noqa: PLR0917 - fixtures
    database, newer, forker, newer_forker, journal, tmp_path
):
    """Callers of the older program notice nothing, and later both programs serve at once."""
    settings = service_settings(database)
    async with (
        running_process(forker, settings, tmp_path / "older.log") as older,
        grpc.aio.insecure_channel(older.address, RECONNECT) as channel,
    ):
        for account_id, given in GIVEN.items():
            await grant(channel, account_id, given)
        callers = Callers(channel, journal, list(GIVEN), "older")
        async with callers.at_work(f"older-{number}" for number in range(CALLERS)):
            await journal.until_acknowledged(200)
            await asyncio.to_thread(upgraded, newer, database)
            await journal.until_acknowledged(len(journal.having("ok")) + 200)
            async with (
                running_process(
                    newer_forker, settings | {"BILLING_LISTEN": "127.0.0.1:0"}, tmp_path / "newer.log"
                ) as beside,
                grpc.aio.insecure_channel(beside.address, RECONNECT) as channel_beside,
            ):
                others = Callers(channel_beside, journal, list(GIVEN), "newer")
                async with others.at_work(f"newer-{number}" for number in range(CALLERS)):
                    await journal.until_acknowledged(len(journal.having("ok")) + 400)
                    await older_and_newer(journal)
                assert await beside.stop() == 0
        await callers.settle(journal.having("unknown"))
        await verify(channel)
        assert await older.stop() == 0
    reconcile(journal, database, GIVEN)


async def older_and_newer(journal):
    """Waits until both have served."""
    async with asyncio.timeout(60):
        # Same.
        while {attempt.key.partition("-")[0] for attempt in journal.having("ok")} != {"older", "newer"}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_a_file_in_use_is_not_migrated(filled, newer, forker, tmp_path):
    """A second connection that writes is what some versions of SQLite corrupt a file by."""
    before = schema(filled)
    async with (
        running_process(forker, service_settings(filled), tmp_path / "older.log") as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        code, said = await asyncio.to_thread(newer.migrate, filled)
        assert (code, schema(filled)) == (1, before)
        assert "in use by another process" in said
        assert "stop it, migrate, and start it again" in said
        await grant(channel, "c", 1)
        await verify(channel)
        code, said = await asyncio.to_thread(run_migrate, filled)
        assert code == 0, f"there was nothing to apply: {said}"
        assert await service.stop() == 0
    upgraded(newer, filled)
    assert stored(filled)[2] == {"a": GIVEN["a"] * CREDIT, "b": GIVEN["b"] * CREDIT, "c": CREDIT}
