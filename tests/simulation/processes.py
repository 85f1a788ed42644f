"""The processes of a world: one, or two at one database whose clocks differ."""

from tests.simulation.service import ServiceProcess
from tests.simulation.simulated_store import SimulatedStore
from tests.simulation.stream_line import LineAuthenticator


def start(world, path):
    """All of them; the first, which knows the other."""
    process = _start_one(world, path, world.clock)
    if world.skew_us is not None:
        process.beside = _start_one(world, path, lambda: world.clock() + world.skew_us)
        process.store.share(process.beside.store)
    return process


def _start_one(world, path, clock):
    store = SimulatedStore(path, world.turns, world.faults, world.committed)
    return ServiceProcess(store, world.provider, clock, world.chance, LineAuthenticator(), vesting_us=world.vesting_us)
