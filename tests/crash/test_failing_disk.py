"""The disk refuses SQLite's writes under load: read-only, full, over quota or broken. Callers are told, health follows,
nothing is corrupt, and it heals by itself; or the process is killed meanwhile, and the file is as good as before."""

import errno
import sqlite3
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from tests.crash.preloading import compile_preload
from tests.support.client_journal import Callers, grant, reconcile, verify
from tests.support.run_length import LONG
from tests.support.service_process import RECONNECT, running_forker, running_process, service_settings, wait_for_health

SOURCE = Path(__file__).with_name("fail_disk.c")
GRANTED = {"a": 1_000_000, "b": 1_000_000}
CALLERS = 16
HEALTH_FOLLOWS_WITHIN_S = 10.0
"""The promised five, and as much for a machine that is busy with other tests."""
FAILURES = [errno.EROFS, errno.EIO, errno.ENOSPC, errno.EDQUOT] if LONG else [errno.EROFS]
DEADLY_FAILURES = FAILURES if LONG else [errno.EIO]
ROUNDS = 10 if LONG else 1
pytestmark = [
    pytest.mark.parametrize("store_name", ["sqlite"], indirect=True),
    pytest.mark.timeout(600 if LONG else 120),
]


@pytest.fixture
def failing(database, tmp_path):
    """What the disk answers to writes; a forker whose services have that disk."""
    number = tmp_path / "errno"
    library = compile_preload(SOURCE, tmp_path)
    with running_forker(
        LD_PRELOAD=str(library), FAIL_DISK=str(database.path.resolve()), FAIL_DISK_ERRNO=str(number)
    ) as forker:
        yield number, forker


async def fail(failing, code, service):
    """From now on; returns once the service says so."""
    failing.write_text(str(code))
    await wait_for_health(service.address, "NOT_SERVING", HEALTH_FOLLOWS_WITHIN_S)


@pytest.mark.parametrize("code", FAILURES, ids=errno.errorcode.get)
async def test_a_disk_that_refuses_costs_answers_and_no_credits(  # noqa: PLR0917 - fixtures
    database, failing, journal, seed, tmp_path, code
):
    number, forker = failing
    async with (
        running_process(forker, service_settings(database), tmp_path / "service.log") as service,
        grpc.aio.insecure_channel(service.address, RECONNECT) as channel,
    ):
        for account_id, given in GRANTED.items():
            await grant(channel, account_id, given)
        callers = Callers(channel, journal, list(GRANTED), seed, pause_s=0.05)
        async with callers.at_work(range(CALLERS)):
            for _ in range(ROUNDS):
                await journal.until_acknowledged(len(journal.having("ok")) + 50)
                await fail(number, code, service)
                told = len(journal.having("ok"))
                await callers.until_failed(20)
                assert len(journal.having("ok")) == told, "somebody was told yes by a disk that says no"
                number.unlink()
                await wait_for_health(service.address, "SERVING", HEALTH_FOLLOWS_WITHIN_S)
                await journal.until_acknowledged(told + 50)
        assert +callers.failures == {grpc.StatusCode.UNAVAILABLE: callers.failures.total()}
        await callers.settle(journal.having("unknown"))
        await verify(channel)
        assert await service.stop() == 0
    reconcile(journal, database, GRANTED)


@pytest.mark.parametrize("code", DEADLY_FAILURES, ids=errno.errorcode.get)
async def test_a_process_that_dies_while_its_disk_refuses(  # noqa: PLR0917 - fixtures
    database, failing, journal, seed, tmp_path, code
):
    number, forker = failing
    async with (
        running_process(forker, service_settings(database), tmp_path / "service.log") as service,
        grpc.aio.insecure_channel(service.address, RECONNECT) as channel,
    ):
        for account_id, given in GRANTED.items():
            await grant(channel, account_id, given)
        callers = Callers(channel, journal, list(GRANTED), seed, pause_s=0.05)
        async with callers.at_work(range(CALLERS)):
            await journal.until_acknowledged(50)
            await fail(number, code, service)
            await service.kill()
            number.unlink()
        with closing(sqlite3.connect(f"file:{database.path}?mode=rw", uri=True)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        await service.start()
        await callers.settle(journal.having("unknown"))
        await verify(channel)
        assert await service.stop() == 0
    reconcile(journal, database, GRANTED)
