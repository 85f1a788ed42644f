"""What a long history costs: the same two loads on a ledger of 1,000,000 transactions and on an empty one, round by
round.

Each round has an empty database of its own, and both services are started anew, so that neither is warmer than the
other. They take turns, each round the other one first. The full ledger is made once in a run; what the loads add to it
makes it a little longer.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import fill, servers, targets

LOADS = ((targets.SIZE_UNARY, 64, "DeductCredits"), (targets.SIZE_BATCH, 8, "BatchDeductCredits"))

Measure = Callable[[servers.Server, str, int, str], dict[str, Any]]
"""Loads a server: name of the load, calls in flight, method."""


@dataclass(frozen=True)
class Ledgers:
    """The full ledger of each store, and where empty ones come from."""

    accounts: int
    full: dict[str, str]
    transactions: dict[str, int]
    """How many the full one holds, as counted there."""
    new_database: Callable[[str, str], str]
    """URL of a database that isn't there yet, by store and name."""


def prepare(
    stores: Sequence[str], transactions: int, accounts: int, new_database: Callable[[str, str], str]
) -> Ledgers:
    """Fills one database of each store, all at once."""
    full = {store: new_database(store, "filled") for store in stores}
    servers.seed(accounts, *full.values(), transactions=transactions)
    counted = {store: asyncio.run(fill.count_transactions(url)) for store, url in full.items()}
    return Ledgers(accounts, full, counted, new_database)


def run_round(ledgers: Ledgers, number: int, work: Path, measure: Measure) -> dict[str, dict[str, Any]]:
    """Both loads on both ledgers of each store."""
    turn: dict[str, dict[str, Any]] = {name: {} for name, _, _ in LOADS}
    for store, full in ledgers.full.items():
        empty = ledgers.new_database(store, f"empty_{number}")
        servers.seed(ledgers.accounts, empty)
        both = [(targets.FULL[store], full, ledgers.transactions[store]), (targets.EMPTY[store], empty, 0)]
        both = both[:: 1 if number % 2 else -1]
        with ExitStack() as stack:
            started = {name: stack.enter_context(servers.service(name, url, work)) for name, url, _ in both}
            for load, in_flight, method in LOADS:
                for name, _, transactions in both:
                    turn[load][name] = {
                        **measure(started[name], load, in_flight, method),
                        "transactions_before": transactions,
                    }
    return turn
