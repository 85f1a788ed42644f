"""Webhooks: events signed and sent to the endpoints, in order, tried again with growing pauses."""

import asyncio
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Coroutine
from dataclasses import asdict, dataclass

import aiohttp

from billing_service.sandbox.config import WebhookEndpoint
from billing_service.sandbox.engine.errors import Json
from billing_service.sandbox.engine.store import Sandbox

ATTEMPTS_REMEMBERED = 1_000
SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver an event. `status` 0: no answer at all."""

    event: str
    type: str
    url: str
    number: int
    status: int


@dataclass(frozen=True, slots=True)
class _Queued:
    """An event on its way: the stored one, the bytes sent in every attempt, and when (by the loop's clock) it was
    queued."""

    event: Json
    payload: bytes
    queued_at: float


def signature_header(payload: bytes, secret: str, timestamp: int) -> str:
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class Delivery:
    """Sends what `Sandbox.emit` stores. One queue for each endpoint; a retry never holds up the events behind it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._queues: list[asyncio.Queue[_Queued]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, set[int]] = {}
        """Endpoints (by place) that have not answered 2xx, by event id."""
        self._outstanding = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._http: aiohttp.ClientSession | None = None
        self.attempts: deque[Attempt] = deque(maxlen=ATTEMPTS_REMEMBERED)

    async def start(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self._sandbox.config.delivery_timeout_s)
        self._http = aiohttp.ClientSession(timeout=timeout)
        for _ in self._sandbox.endpoints:
            self._add_queue()
        self._sandbox.event_sinks.append(self.send)

    async def stop(self) -> None:
        self._sandbox.event_sinks.remove(self.send)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    def add_endpoint(self, endpoint: WebhookEndpoint) -> None:
        """From now on events go there too."""
        self._sandbox.endpoints.append(endpoint)
        self._add_queue()

    def send(self, event: Json) -> None:
        """Queues an event for every endpoint; also used to send an old one again."""
        item = _Queued(event, json.dumps(event, indent=2).encode(), asyncio.get_running_loop().time())
        self._waiting[event["id"]] = set(range(len(self._queues)))
        event["pending_webhooks"] = len(self._queues)
        for queue in self._queues:
            self._begin()
            queue.put_nowait(item)

    async def drained(self, timeout_s: float) -> bool:
        """Waits until every event was delivered or given up; False when that took too long."""
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def state(self) -> Json:
        return {"outstanding": self._outstanding, "attempts": [asdict(attempt) for attempt in self.attempts]}

    def _add_queue(self) -> None:
        self._queues.append(asyncio.Queue())
        self._spawn(self._work(len(self._queues) - 1))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin(self) -> None:
        self._outstanding += 1
        self._idle.clear()

    def _end(self) -> None:
        self._outstanding -= 1
        if self._outstanding == 0:
            self._idle.set()

    async def _work(self, place: int) -> None:
        queue = self._queues[place]
        clock = asyncio.get_running_loop().time
        while True:
            batch = [await queue.get()]
            await asyncio.sleep(batch[0].queued_at + self._sandbox.switches.delay_s - clock())
            if self._sandbox.switches.reorder:
                await asyncio.sleep(self._sandbox.config.reorder_window_s)
                while not queue.empty():
                    batch.append(queue.get_nowait())
                batch.reverse()
            for item in batch:
                delivered = await self._attempt(place, item, 1)
                if self._sandbox.switches.duplicate:
                    await self._attempt(place, item, 1)
                if delivered:
                    self._end()
                else:
                    self._spawn(self._retry(place, item))

    async def _retry(self, place: int, item: _Queued) -> None:
        config = self._sandbox.config
        pause_s = config.delivery_first_retry_s
        for number in range(2, config.delivery_attempts_max + 1):
            await asyncio.sleep(pause_s)
            pause_s *= 2
            if await self._attempt(place, item, number):
                break
        self._end()

    async def _attempt(self, place: int, item: _Queued, number: int) -> bool:
        endpoint = self._sandbox.endpoints[place]
        event = item.event
        status = await self._post(endpoint, item.payload)
        self.attempts.append(Attempt(event["id"], event["type"], endpoint.url, number, status))
        delivered = status in SUCCESS
        if delivered:
            waiting = self._waiting[event["id"]]
            waiting.discard(place)
            event["pending_webhooks"] = len(waiting)
        return delivered

    async def _post(self, endpoint: WebhookEndpoint, payload: bytes) -> int:
        assert self._http is not None
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature_header(payload, endpoint.secret, int(self._sandbox.config.clock())),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            async with self._http.post(endpoint.url, data=payload, headers=headers, allow_redirects=False) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0  # unreachable, cut off or too slow: an attempt that failed, to be tried again
