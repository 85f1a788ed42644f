"""The full ledger of the bench is a real one, and what is measured on it is told apart from what is not."""

import asyncio
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from billing_service.integrity.verify import verify_ledger
from tests.bench import calls, fill, ledger_size, seed, servers, targets

ACCOUNTS, TRANSACTIONS = 30, 500


async def test_the_filled_ledger_proves_every_balance(database, tmp_path, monkeypatch):
    monkeypatch.setattr(fill, "DEDUCTIONS_A_TRANSACTION", 200)  # more than one, and the last not whole
    await seed.seed(database.url, ACCOUNTS, TRANSACTIONS)
    store = await database.open()
    try:
        report = await verify_ledger(store)
    finally:
        await store.close()
    assert report.differences == []
    assert (report.accounts, report.transactions) == (ACCOUNTS, ACCOUNTS + TRANSACTIONS)
    assert await fill.count_transactions(database.url) == ACCOUNTS + TRANSACTIONS
    verified = await asyncio.to_thread(_billing_verify, database.url, tmp_path)
    assert (verified.returncode, verified.stderr) == (0, "")
    assert f"{ACCOUNTS} accounts, {ACCOUNTS + TRANSACTIONS} transactions" in verified.stdout


def _billing_verify(url, folder):
    command = [sys.executable, "-m", "billing_service.cli", "verify", "--offline"]
    settings = {"PATH": os.environ["PATH"], "HOME": str(folder), "DATABASE_URL": url}
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)


async def test_a_history_that_cannot_be_posted_is_no_history(database, monkeypatch):
    monkeypatch.setattr(seed, "CREDITS", 3 * calls.AMOUNT_MICROCREDITS)
    await seed.seed(database.url, 2, transactions=6)
    with pytest.raises(RuntimeError, match=r"refused: .*are required and 0 are available"):
        await _fill_again(database)


async def _fill_again(database):
    store = await database.open()
    try:
        await fill.fill(store, 2, 1)
    finally:
        await store.close()


def test_both_ledgers_are_loaded_in_turn_and_each_round_has_an_empty_one(monkeypatch):
    seeded, served, loaded = [], [], []
    monkeypatch.setattr(
        servers, "seed", lambda accounts, *urls, transactions=0: seeded.append((accounts, urls, transactions))
    )
    monkeypatch.setattr(
        servers,
        "service",
        lambda name, url, _work: served.append((name, url)) or nullcontext(SimpleNamespace(name=name)),
    )

    def measure(server, load, in_flight, method):
        loaded.append((server.name, load, in_flight, method))
        return {"calls_per_second": 1.0, "failed_total": 0}

    async def count(url):
        return len(url) * 1_000_000

    monkeypatch.setattr(fill, "count_transactions", count)
    ledgers = ledger_size.prepare(["SQLite"], 7, 10, lambda store, name: f"{store}/{name}")
    turns = [ledger_size.run_round(ledgers, number, Path(), measure) for number in (1, 2)]
    assert seeded == [(10, ("SQLite/filled",), 7), (10, ("SQLite/empty_1",), 0), (10, ("SQLite/empty_2",), 0)]
    full, empty = targets.FULL["SQLite"], targets.EMPTY["SQLite"]
    assert served == [
        (full, "SQLite/filled"),
        (empty, "SQLite/empty_1"),
        (empty, "SQLite/empty_2"),
        (full, "SQLite/filled"),
    ]
    assert [name for name, *_ in loaded] == [full, empty] * 2 + [empty, full] * 2
    assert [rest for _, *rest in loaded[::2]] == [
        [load, in_flight, method] for load, in_flight, method in ledger_size.LOADS
    ] * 2
    assert all(
        turn[load][full]["transactions_before"] == 13_000_000 for turn in turns for load, *_ in ledger_size.LOADS
    )
    assert all(turn[load][empty]["transactions_before"] == 0 for turn in turns for load, *_ in ledger_size.LOADS)
