"""What every store promises: one suite, `tests/storage`, holds each of them to it."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol, TypeVar

import structlog

from billing_service.domain.refusals import Failure, Reason, conflict
from billing_service.storage.statements import Work

T = TypeVar("T")
log = structlog.get_logger(__name__)

ATTEMPTS_MAX = 6
"""Tries of one unit of work that conflicts with others; then the caller gets CONFLICT."""
WAITS_MAX = 2
"""Tries that may end with a lock that did not come; each has waited long already."""
BACKOFF_S = 0.004
"""First pause between tries; it doubles, with jitter, to about 0.1 s."""

BEGIN_AND_COMMIT = 2
"""Statements that frame each transaction, and count like any other."""


@dataclass(slots=True)
class StoreCounters:
    """Counted, never believed: what the database was really asked to do."""

    commits: int = 0
    statements: int = 0
    conflicts: int = 0
    stale: int = 0
    """Conditional writes of which something ran again: an account was not as expected, or a constraint was met."""
    conflict_causes: Counter[str] = field(default_factory=Counter)
    """Conflicts by SQLSTATE or SQLite's name for the error; in words where a unit of work asked for another run by
    itself."""
    conflict_s: float = 0.0
    """Time of the runs that ended in one, most of it spent waiting for a lock."""
    failures: Counter[str] = field(default_factory=Counter)
    """Transactions that ended in STORAGE_UNAVAILABLE, by the same codes, or by the kind of error where there is no
    code."""


class Store(Protocol):
    """A database that runs units of work."""

    counters: StoreCounters
    """Of writing transactions."""
    read_counters: StoreCounters
    name: str
    """`sqlite` or `postgresql`."""

    async def write(self, work: Callable[[], Work[T]]) -> T:
        """As `write_by_attempt`, for a unit that does the same whichever attempt it is."""
        ...

    async def write_by_attempt(self, work: Callable[[int], Work[T]]) -> T:
        """Runs a unit of work in one transaction and commits it durably before answering. `work` makes the unit of an
        attempt, by the attempt's number from 1 on.

        The unit must lock the accounts it changes before it reads them. It is run again from its start when it
        conflicts with others, so it must hold no state from one run to the next. An exception of the unit itself rolls
        back and passes through. Raises Failure: STORAGE_UNAVAILABLE (also when it is unknown whether the commit
        happened) or CONFLICT. Once begun it ends, whatever becomes of the caller: cancelling the caller does not cancel
        the transaction.
        """
        ...

    async def read(self, work: Callable[[], Work[T]]) -> T:
        """Runs a unit of work that only reads, in one snapshot that holds all that was acknowledged before the call."""
        ...

    async def probe(self) -> None:
        """Proves that a write transaction can begin, without changing anything. Raises Failure."""
        ...

    async def close(self) -> None:
        """Waits for what has begun, then lets the database go."""
        ...


class ConflictError(Exception):
    """This run of a unit of work met another writer; running it again from its start is right."""

    def __init__(self, cause: str, *, waited: bool = False) -> None:
        super().__init__(cause)
        self.waited = waited
        """Whether it waited for a lock as long as it may: one more try is enough."""


class StaleError(ConflictError):
    """What a unit of work decided on was no longer so, and it can't be said where. Nothing happened; run again, it must
    read first."""


async def rerun_on_conflict(attempt: Callable[[int], Awaitable[T]], counters: StoreCounters) -> T:
    """Makes attempts, numbered from 1 on, until one ends without a conflict; a bounded number of them."""
    for number in range(1, ATTEMPTS_MAX + 1):
        begun = monotonic()
        try:
            return await attempt(number)
        except StaleError:
            counters.stale += 1
        except ConflictError as met:
            counters.conflicts += 1
            counters.conflict_causes[str(met)] += 1
            counters.conflict_s += monotonic() - begun
            log.info("conflict", attempt=number, cause=str(met))
            if met.waited and number >= WAITS_MAX:
                break
            # Jitter needs no secrecy.
            await asyncio.sleep(random.uniform(0.5, 1.5) * BACKOFF_S * 2 ** (number - 1))  # noqa: S311
        except Failure as failure:
            if failure.reason is Reason.STORAGE_UNAVAILABLE:
                counters.failures[_code(failure.__cause__)] += 1
            raise
    raise conflict()


def _code(error: BaseException | None) -> str:
    """What the database or its driver calls the error; without one, the store itself saw what is wrong."""
    return getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None) or type(error).__name__


def is_unavailable(error: BaseException) -> bool:
    return isinstance(error, Failure) and error.reason is Reason.STORAGE_UNAVAILABLE
