"""Power loss at any moment: every write that SQLite had not synced is lost, or any part of them, and what was
acknowledged is there."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from prepaid.billing.v1 import transactions_pb2

from tests.crash.lossy_disk import LossyDisk, read_records
from tests.crash.preloading import compile_preload
from tests.support.changed_program import STORE, SYNCS_LESS, changed_program
from tests.support.client_journal import Callers, Journal, grant, stored
from tests.support.databases import Database
from tests.support.ledger_check import ledger_problems
from tests.support.run_length import LONG
from tests.support.service_process import RECONNECT, running_forker, running_process, service_settings

GRANTED = {"a": 1_000_000, "b": 1_000_000, "poor": 100}
CALLERS = 16
ACKNOWLEDGED = 6_000 if LONG else 400
CUTS = 100 if LONG else 20
SOURCE = Path(__file__).with_name("record_disk.c")
OFTEN = ("AUTOCHECKPOINT_PAGES = 2_000", "AUTOCHECKPOINT_PAGES = 60")
"""Many checkpoints in a short run: they write where nothing can be written again."""


class TimedJournal(Journal):
    """Knows how far the disk's record had come when an answer was there."""

    def __init__(self, path, record):
        super().__init__(path)
        self._record = record
        self.answered_at = {}

    def note(self, attempt, outcome):
        super().note(attempt, outcome)
        if outcome == "ok":
            self.answered_at.setdefault(attempt.key, self._record.stat().st_size)

    def acknowledged_before(self, position):
        return [self.attempts[key] for key, at in self.answered_at.items() if at <= position]


@pytest.fixture
def recorded(sqlite_template, tmp_path, seed):
    """Runs a program under load, and takes its power away: (journal, record, what the disk held before)."""
    library, path = compile_preload(SOURCE, tmp_path), tmp_path / "live" / "ledger.db"
    path.parent.mkdir()
    shutil.copyfile(sqlite_template, path)
    record = tmp_path / "record"
    record.touch()
    journal = TimedJournal(tmp_path / "journal.txt", record)

    async def run(*changes):
        variables = {"LD_PRELOAD": str(library), "RECORD_LOG": str(record), "RECORD_DISK": str(path.resolve())}
        with running_forker(PYTHONPATH=changed_program(tmp_path / "program", STORE, changes), **variables) as forker:
            settings = service_settings(Database("sqlite", f"sqlite:///{path}"))
            async with (
                running_process(forker, settings, tmp_path / "service.log") as service,
                grpc.aio.insecure_channel(service.address, RECONNECT) as channel,
            ):
                for account_id, given in GRANTED.items():
                    await grant(channel, account_id, given)
                begun = record.stat().st_size
                callers = Callers(channel, journal, list(GRANTED), seed)
                async with callers.at_work(range(CALLERS)):
                    await journal.until_acknowledged(ACKNOWLEDGED)
                await service.kill()
        return journal, record, begun

    yield run
    journal.close()


def lost(journal, database, position):
    """Acknowledged before `position`, and not there. What is there is sound, and somebody's."""
    with closing(sqlite3.connect(database.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert ledger_problems(database) == []
    keys, deductions, _ = stored(database)
    there = {
        key: transactions_pb2.DeductCreditsResponse.FromString(reply).transaction_id
        for _, key, reply in keys
        if key[0] != "g"
    }
    assert sorted(there.values()) == sorted(transaction_id for _, transaction_id, _ in deductions)
    assert there.keys() <= journal.attempts.keys()
    return [
        attempt for attempt in journal.acknowledged_before(position) if there.get(attempt.key) != attempt.transaction_id
    ]


def losses(recorded, sqlite_template, directory, chance):
    """At each of CUTS moments under load: how much was acknowledged, and how much of that is lost."""
    journal, record, begun = recorded
    disk, found = LossyDisk(sqlite_template.read_bytes()), []
    records = list(read_records(record))
    moments = sorted(chance.sample([at for *_, at in records if at > begun], CUTS))
    for kind, file, offset, written, at in records:
        disk.follow(kind, file, offset, written)
        if moments and at == moments[0]:
            moments.pop(0)
            for number, some in enumerate((None, chance)):  # all that was not synced is lost; any part of it is
                database = Database("sqlite", f"sqlite:///{directory / f'{at}-{number}' / 'ledger.db'}")
                disk.lose_power(database.path, some)
                found.append((len(journal.acknowledged_before(at)), len(lost(journal, database, at))))
                shutil.rmtree(database.path.parent)
    assert not moments
    return found, disk


@pytest.mark.timeout(900 if LONG else 120)
async def test_nothing_acknowledged_is_lost(recorded, sqlite_template, tmp_path, seed):
    found, disk = losses(await recorded(OFTEN), sqlite_template, tmp_path / "left", random.Random(seed))
    assert max(acknowledged for acknowledged, _ in found) > ACKNOWLEDGED / 2
    assert sum(missing for _, missing in found) == 0
    assert disk.syncs > ACKNOWLEDGED / CALLERS
    assert disk.checkpoints > 1


@pytest.mark.timeout(900 if LONG else 120)
async def test_with_fewer_syncs_this_test_sees_losses(recorded, sqlite_template, tmp_path, seed):
    """Or it would prove nothing."""
    found, _ = losses(await recorded(*SYNCS_LESS), sqlite_template, tmp_path / "left", random.Random(seed))
    assert sum(missing for _, missing in found) > 0
