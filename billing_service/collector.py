"""Python's garbage collector in a process that is the service. A program that has the service inside keeps its own."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG_OBJECTS_MAX = 50_000
"""More objects than wait in the largest batches of the ledger, so that the collector hardly looks at what is gone soon.
At 5,000 it took a twentieth of the time of batches, a tenth where they were priced; at Python's 700, 4 % of single
calls."""

_spared = False


@contextmanager
def collector_spared() -> Iterator[None]:
    """For a process that is the service, once it runs. What lives as long as the service need not be looked through
    again: pauses of 50 ms and more in the middle of calls. And what lives as long as a call is seldom looked through
    when it is seldom looked."""
    global _spared  # noqa: PLW0603 - there is one collector in a process
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX)
    _spared = True
    try:
        yield
    finally:
        _spared = False
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def keep_for_good() -> None:
    """What was made just now lives on: no collection looks through it again. Nothing, in a program that has the service
    inside."""
    if _spared:
        gc.collect(1)  # what is dead and young would be kept too
        gc.freeze()
