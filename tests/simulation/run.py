"""Runs seeds, one after the other, in memory-backed files."""

import asyncio
import shutil
import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import fields
from pathlib import Path
from unittest.mock import patch

from structlog.testing import capture_logs

from billing_service.api import call_log, pipeline
from billing_service.api.streams import streaming
from billing_service.domain.catalogue.rate_card_versions import StoredCard
from billing_service.ledger import writer
from billing_service.storage import store
from billing_service.storage.migrate import migrate_now
from tests.simulation.service import CARDS
from tests.simulation.simulation import Simulation
from tests.simulation.turns import STEP_S, SteppedLoop, loop_time

STEPS = 300
APART_STEPS = 100
IDENTITY_STEPS = 40
UNANSWERED_MAX = 6
"""Of one stream: what callers put together is longer, now and then."""

_CARD_COLUMNS = [field.name for field in fields(StoredCard)]
_MARKS = ", ".join("?" for _ in _CARD_COLUMNS)


@contextmanager
def workshop():
    """A directory in memory where there is one, with a migrated file to copy."""
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="billing-simulation-", dir=memory if memory.is_dir() else None))
    with ExitStack() as simulated:
        # Pauses between tries would be real time, and their jitter real chance. An account is kept apart for some
        # hundred steps.
        simulated.enter_context(patch.object(store, "BACKOFF_S", 0.0))
        simulated.enter_context(patch.object(writer, "ISOLATION_S", APART_STEPS * STEP_S))
        for module in (streaming, pipeline, call_log):
            simulated.enter_context(patch.object(module, "monotonic", loop_time))
        simulated.enter_context(patch.object(streaming, "IDENTITY_CHECKED_EVERY_S", IDENTITY_STEPS * STEP_S))
        simulated.enter_context(patch.object(streaming, "UNANSWERED_MAX", UNANSWERED_MAX))
        simulated.callback(shutil.rmtree, directory)
        template = directory / "template.db"
        with ThreadPoolExecutor(1) as thread:
            thread.submit(migrate_now, f"sqlite:///{template}").result()
        _put_cards(template)
        yield directory, template


def _put_cards(path):
    """Versions of the rate card. Their files are never read."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM rate_cards")
        for position, card in enumerate(CARDS.values(), 1):
            moments = (card.effective_time_us, card.effective_time_us, card.effective_time_us)
            row = (card.version, position, *moments, "simulated", card.markup_ppm, len(card.entries), b"")
            connection.execute(f"INSERT INTO rate_cards ({', '.join(_CARD_COLUMNS)}) VALUES ({_MARKS})", row)


def run_seed(seed, steps, place):
    """Runs one seed; answers the simulation. Raises what went wrong, with the seed and the way to see it again."""
    simulations = []

    async def run():
        simulations.append(Simulation(seed, *place))
        await simulations[0].run(steps)

    try:
        with capture_logs(), asyncio.Runner(loop_factory=SteppedLoop) as runner:
            runner.run(run())
    except BaseException as error:
        error.add_note(f"seed={seed} steps={steps}; again: python -m tests.simulation --seed {seed} --steps {steps}")
        raise
    return simulations[0]
