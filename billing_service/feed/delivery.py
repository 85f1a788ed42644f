"""Delivers business events to the deployment's own backend: each at least once, an account's in order.

One process at a time delivers, by a lease. Events are sent in the order of the feed, several accounts at once. One that
fails waits and is tried again, and its account's later ones wait behind it; other accounts go on. After some failures
in a row the endpoint counts as away: then an old and a new event are tried now and then, and the others stay in the
feed.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby
from time import monotonic
from typing import Final, Protocol

import structlog

from billing_service.clock import ClockUs
from billing_service.domain.deliveries import (
    ENDPOINT_DELAY_MAX_US,
    EVENT_DELAY_MAX_US,
    FAILURES_MAX,
    GIVEN_UP_AFTER_US,
    NEVER_US,
    DeliveryState,
    delay_us,
)
from billing_service.domain.ledger.events import PlacedEvent
from billing_service.domain.refusals import Failure
from billing_service.domain.times import US_PER_S
from billing_service.feed.signing import body_of, headers_of
from billing_service.storage.rows.webhooks import (
    Again,
    Due,
    Endpoint,
    Fate,
    LeaseLostError,
    begin,
    free,
    keep,
    lease,
    read_due,
    read_new,
)
from billing_service.storage.store import Store

log = structlog.get_logger(__name__)

DELIVER_EVERY_S: Final = 0.5
EVENTS_A_PAGE: Final = 64
LEASE_US: Final = 45 * US_PER_S
"""Longer than a page takes with its last request, of 30 s at most. A process that dies is followed after this."""
AT_ONCE: Final = 8
"""Accounts whose events are sent at the same time."""
PAGE_S: Final = 10.0
"""What a receiver that answers slowly leaves of a page is tried in the next one, so that the lease suffices."""


class Sending(Protocol):
    async def send(self, body: bytes, headers: dict[str, str]) -> str: ...


class Delivery:
    """What a loop of each process does."""

    def __init__(
        self,
        store: Store,
        clock_us: ClockUs,
        sender: Sending,
        keys: Sequence[bytes],
        owner: str,
        *,
        jitter: Callable[[], float],
        now_s: Callable[[], float] = monotonic,
    ) -> None:
        """`keys`: the newest first. `owner`: this process's own name. `jitter`: numbers from 0 to 1."""
        self._store = store
        self._clock_us = clock_us
        self._sender = sender
        self._keys = tuple(keys)
        self._owner = owner
        self._jitter = jitter
        self._now_s = now_s
        self._stopping = False
        self.delivered = 0
        self.failed = 0

    async def run(self) -> None:
        """Delivers what is due, and what is new, until nothing is left or the endpoint is away. Raises Failure."""
        try:
            while not self._stopping and await self._step():
                pass
        except LeaseLostError:
            log.warning("webhook_lease_lost")

    def stop(self) -> None:
        """Sends nothing more but what is being sent."""
        self._stopping = True

    async def leave(self) -> None:
        """Lets another process deliver at once."""
        try:
            await self._store.write(partial(free, self._owner))
        except Failure:  # its lease ends by itself
            log.warning("webhook_lease_kept")

    async def _step(self) -> bool:
        """One portion; answers whether there may be more."""
        endpoint = await self._lease()
        if endpoint is None:
            return False
        now_us = self._clock_us()
        if not endpoint.start_time_us:
            await self._store.write(partial(begin, self._owner, now_us))
            return True
        if endpoint.failures >= FAILURES_MAX:
            return now_us >= endpoint.retry_time_us and await self._probe(endpoint)
        due = await self._store.read(partial(read_due, now_us, EVENTS_A_PAGE))
        events, blocked = await self._store.read(partial(read_new, endpoint.position, EVENTS_A_PAGE))
        return bool(due or events) and await self._deliver(endpoint, due, events, blocked)

    async def _lease(self) -> Endpoint | None:
        now_us = self._clock_us()
        return await self._store.write(partial(lease, self._owner, now_us, now_us + LEASE_US))

    async def _probe(self, endpoint: Endpoint) -> bool:
        """Asks an endpoint that is away by one event that failed, and by one that is new: what alone fails does not
        hold up the rest."""
        due = await self._store.read(partial(read_due, NEVER_US - 1, 1))
        while True:
            events, blocked = await self._store.read(partial(read_new, endpoint.position, 1))
            if not events or events[0].account_id not in blocked:
                return bool(due or events) and await self._deliver(endpoint, due, events, blocked)
            endpoint = endpoint._replace(position=events[0].position)
            behind = list(self._kept(events, blocked, _Round(0), 0))
            await self._store.write(partial(keep, self._owner, endpoint, Again([], [], hurry=False), behind, 0))

    async def _deliver(
        self, endpoint: Endpoint, due: Sequence[Due], events: Sequence[PlacedEvent], blocked: frozenset[str]
    ) -> bool:
        """Sends new events, an account's one after the other, and those that failed before; notes what became of all.
        Answers whether some were delivered."""
        round_ = _Round(endpoint.failures)
        new = sorted((each for each in events if each.account_id not in blocked), key=lambda each: each.account_id)
        queues = [list(group) for _, group in groupby(new, key=lambda each: each.account_id)]
        await self._send_all([*queues, *([each.event] for each in due)], round_)
        now_us, was_away = self._clock_us(), endpoint.failures >= FAILURES_MAX
        endpoint = self._after(endpoint, round_, events[-1].position if events else endpoint.position, now_us)
        again = Again(
            [each.event for each in due if each.event.event_id in round_.delivered],
            [
                self._failed(each.event, each.attempt_count + 1, each.first_time_us or now_us, error, now_us)
                for each in due
                if (error := round_.errors.get(each.event.event_id)) is not None
            ],
            hurry=was_away and bool(round_.delivered),
        )
        kept = list(self._kept(events, blocked, round_, now_us))
        await self._store.write(partial(keep, self._owner, endpoint, again, kept, now_us))
        return bool(round_.delivered) or not round_.errors

    def _kept(
        self, events: Iterable[PlacedEvent], blocked: frozenset[str], round_: "_Round", now_us: int
    ) -> Iterable[Fate]:
        """A row for each event that was not delivered: its account's first is tried again, later ones wait behind."""
        behind = set(blocked)
        for event in events:
            if event.event_id in round_.delivered:
                continue
            if event.account_id in behind:
                yield Fate(event, DeliveryState.WAITING, 0, 0, NEVER_US, "")
            elif (error := round_.errors.get(event.event_id)) is not None:
                yield self._failed(event, 1, now_us, error, now_us)
            else:  # not tried, as the endpoint is away
                yield Fate(event, DeliveryState.WAITING, 0, 0, now_us, "")
            behind.add(event.account_id)

    def _failed(self, event: PlacedEvent, attempts: int, first_us: int, error: str, now_us: int) -> Fate:
        if now_us - first_us >= GIVEN_UP_AFTER_US:
            log.error("webhook_given_up", event_id=event.event_id, attempts=attempts, error=error)
            return Fate(event, DeliveryState.DEAD, attempts, first_us, NEVER_US, error)
        retry_us = now_us + delay_us(attempts, EVENT_DELAY_MAX_US, self._jitter())
        return Fate(event, DeliveryState.WAITING, attempts, first_us, retry_us, error)

    def _after(self, endpoint: Endpoint, round_: "_Round", position: int, now_us: int) -> Endpoint:
        self.delivered += len(round_.delivered)
        self.failed += len(round_.errors)
        failures, retry_us = round_.failures, 0
        if failures >= FAILURES_MAX:
            retry_us = now_us + delay_us(failures - FAILURES_MAX + 1, ENDPOINT_DELAY_MAX_US, self._jitter())
            log.warning("webhook_endpoint_away", failures=failures, error=next(iter(round_.errors.values()), ""))
        return Endpoint(position, endpoint.start_time_us, failures, retry_us)

    async def _send_all(self, queues: Sequence[Sequence[PlacedEvent]], round_: "_Round") -> None:
        """Each queue in order up to its first failure, AT_ONCE queues at a time."""
        room = asyncio.Semaphore(AT_ONCE)

        ends_s = self._now_s() + PAGE_S

        async def send(queue: Sequence[PlacedEvent]) -> None:
            async with room:
                for event in queue:
                    if round_.is_away or self._stopping or self._now_s() >= ends_s:
                        return
                    body = body_of(event)
                    headers = headers_of(event.event_id, body, self._keys, self._clock_us())
                    error = await self._sender.send(body, headers)
                    round_.note(event, error)
                    if error:
                        return

        async with asyncio.TaskGroup() as group:
            for queue in queues:
                group.create_task(send(queue))


class _Round:
    """What became of the deliveries of one portion."""

    def __init__(self, failures: int) -> None:
        self._failures_before = failures
        self.delivered: set[str] = set()
        self.errors: dict[str, str] = {}

    @property
    def failures(self) -> int:
        """Since the last success. What fails beside a success fails alone."""
        return 0 if self.delivered else self._failures_before + len(self.errors)

    @property
    def is_away(self) -> bool:
        """Whether the rest is spared: a first try is always made."""
        return self.failures >= FAILURES_MAX and bool(self.errors)

    def note(self, event: PlacedEvent, error: str) -> None:
        if error:
            self.errors[event.event_id] = error
        else:
            self.delivered.add(event.event_id)
