"""Runs seeds, one after the other, in memory-backed files."""

import asyncio
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from structlog.testing import capture_logs

from billing_service.storage import store
from billing_service.storage.migrate import migrate_now
from tests.simulation.simulation import Simulation
from tests.simulation.turns import SteppedLoop

STEPS = 300


@contextmanager
def workshop():
    """A directory in memory where there is one, with a migrated file to copy."""
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="billing-simulation-", dir=memory if memory.is_dir() else None))
    # Pauses between tries would be real time, and their jitter real chance.
    backoff_s, store.BACKOFF_S = store.BACKOFF_S, 0.0
    try:
        template = directory / "template.db"
        with ThreadPoolExecutor(1) as thread:
            thread.submit(migrate_now, f"sqlite:///{template}").result()
        yield directory, template
    finally:
        store.BACKOFF_S = backoff_s
        shutil.rmtree(directory)


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
