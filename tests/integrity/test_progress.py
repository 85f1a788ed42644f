"""Long work says how far it has come: by counts that were measured, which end where the work ends."""

import sqlite3
from contextlib import closing

import pytest

from billing_service.integrity import backup, progress, verify
from billing_service.integrity.backup import back_up
from billing_service.integrity.restore import restore_backup, verify_backup
from billing_service.integrity.verify import verify_ledger
from billing_service.ledger.writer import LedgerWriter
from tests.support.ledger_setup import deduction, open_account


class Heard:
    """What was told, step by step."""

    def __init__(self, at_each=lambda: None):
        self.told = []
        self._at_each = at_each

    def __call__(self, what, done, total):
        self.told.append((what, done, total))
        self._at_each()

    @property
    def steps(self):
        """Names of steps, in their order."""
        return list(dict.fromkeys(what for what, _, _ in self.told))

    def of(self, what):
        return [(done, total) for name, done, total in self.told if name == what]


@pytest.fixture
async def books(store, clock, ids):
    """Eight transactions: two accounts, and six deductions."""
    for account_id in ("acme", "beta"):
        await open_account(store, account_id, clock=clock, ids=ids, microcredits=1_000)
    writer = LedgerWriter(store, clock, ids, batch_max=16, wait_s=0)
    for number in range(6):
        await writer.submit(deduction("acme", 10, f"k{number}"))
    await writer.close()
    return store


async def test_a_verification_counts_up_to_all_transactions(books, monkeypatch):
    monkeypatch.setattr(verify, "LINKS_A_READ", 2)
    heard = Heard()
    await verify_ledger(books, progress=heard)
    assert heard.of("transactions followed")[-1] == (8, 8)
    assert {total for _, total in heard.of("transactions followed")} == {8}
    counts = [done for done, _ in heard.of("transactions followed")]
    assert counts == sorted(counts)
    assert len(counts) > 3, "a long history is told of while it is followed"
    assert heard.steps == ["transactions followed", "entries searched", "lots searched", "events searched"]


async def test_one_account_has_its_own_total(books):
    heard = Heard()
    await verify_ledger(books, "acme", progress=heard)
    assert heard.told[-1] == ("transactions followed", 7, 7)


async def test_who_does_not_look_costs_nothing_to_count(books):
    before = books.read_counters.statements
    await verify_ledger(books)
    unheard = books.read_counters.statements - before
    await verify_ledger(books, progress=Heard())
    assert books.read_counters.statements - before - unheard == unheard + 3, "one read more, BEGIN and COMMIT included"


@pytest.mark.parametrize("store_name", ["sqlite"])
@pytest.mark.usefixtures("books")
async def test_a_backup_in_steps_is_one_moment_though_others_write(database, tmp_path, monkeypatch):
    """Between the steps somebody writes: what is copied is what was there when the copy began, and nothing begins
    anew."""
    monkeypatch.setattr(backup, "PAGES_A_STEP", 3)
    written = []

    def somebody_writes():
        with closing(sqlite3.connect(database.path, isolation_level=None, timeout=10)) as other:
            other.execute("PRAGMA wal_autocheckpoint=0")
            other.execute("UPDATE profiles SET name = name || 'x'")
            other.execute("INSERT INTO referral_codes VALUES (?, 'acme')", (f"CODE{len(written)}",))
        written.append(1)

    heard = Heard(somebody_writes)
    manifest = back_up(database.path, tmp_path / "copy.db", heard)
    copied = heard.of("pages copied")
    assert {total for _, total in copied} == {copied[-1][0]}, "all pages of one moment"
    assert [done for done, _ in copied] == sorted({done for done, _ in copied}), "no step was taken twice"
    assert len(copied) > 5
    assert manifest.contents.counts["referral_codes"] == 0
    assert heard.steps == ["pages copied", "tables counted", "bytes checked"]
    with closing(sqlite3.connect(database.path)) as live:
        assert live.execute("SELECT count(*) FROM referral_codes").fetchone()[0] == len(written) > 5
    await verify_backup(tmp_path / "copy.db")


@pytest.mark.parametrize("store_name", ["sqlite"])
@pytest.mark.usefixtures("books")
async def test_a_restore_tells_each_of_its_steps(database, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "PIECE_BYTES", 65_536)
    size = back_up(database.path, tmp_path / "copy.db").file_bytes
    heard = Heard()
    await restore_backup(tmp_path / "copy.db", tmp_path / "restored.db", None, heard)
    assert heard.steps[:3] == ["bytes checked", "bytes copied", "tables counted"]
    assert heard.of("transactions followed")[-1] == (8, 8)
    for what in ("bytes checked", "bytes copied"):
        assert heard.of(what).count((size, size)) == 2, "once for the proof, once for what is put in place"
        assert {total for _, total in heard.of(what)} == {size}
    assert (tmp_path / "restored.db").read_bytes() == (tmp_path / "copy.db").read_bytes()


@pytest.mark.parametrize("store_name", ["sqlite"])
@pytest.mark.usefixtures("books")
async def test_who_stops_listening_stops_the_work_and_leaves_nothing(database, tmp_path):
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(database.path, tmp_path / "copy.db", Heard(stop))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("copy")] == []
    back_up(database.path, tmp_path / "copy.db")
    with pytest.raises(KeyboardInterrupt):
        await restore_backup(tmp_path / "copy.db", tmp_path / "restored.db", None, Heard(stop))
    assert not (tmp_path / "restored.db").exists()
