"""The gRPC health protocol, telling the truth: NOT_SERVING until a probe of the database succeeds, and again when one
fails.

Own servicer because grpcio's begins as SERVING, and because its Watch streams outlive a drain: a balancer that watches
would hold up every shutdown until the grace period ends. No identity is asked for and no admission: an overloaded
process is not a dead one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVICE_NAME: Final = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
PROBE_INTERVAL_S: Final = 2.0
PROBE_TIMEOUT_S: Final = 1.5
"""Interval and timeout together stay below the 5 s within which health must follow the truth."""

_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
_SERVICE_UNKNOWN: Final = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class HealthServicer(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # generated without types
    """One answer for the whole process, given for the empty name and for each service."""

    def __init__(self, services: Iterable[str]) -> None:
        self._names = frozenset(("", *services))
        self._serving = False
        self._draining = False
        self._closed = False
        self._changed = asyncio.Event()

    @property
    def serving(self) -> bool:
        return self._serving

    def set_serving(self, serving: bool) -> bool:
        """True when that was a change. Once draining, nothing makes it serve again."""
        if self._draining or serving == self._serving:
            return False
        self._serving = serving
        self._notify()
        return True

    def drain(self) -> None:
        """NOT_SERVING for good."""
        self.set_serving(False)
        self._draining = True

    def close(self) -> None:
        """Ends the streams of all who watch."""
        self.drain()
        self._closed = True
        self._notify()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        if request.service not in self._names:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return health_pb2.HealthCheckResponse(status=self._status(request.service))

    async def List(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        del request, context
        return health_pb2.HealthListResponse(
            statuses={name: health_pb2.HealthCheckResponse(status=self._status(name)) for name in self._names}
        )

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the protocol's name
        del context
        told = None
        while True:
            changed = self._changed
            status = self._status(request.service)
            if status != told:
                told = status
                yield health_pb2.HealthCheckResponse(status=status)
                continue  # it may have changed while that was being sent
            if self._closed:
                return
            await changed.wait()

    def _status(self, name: str) -> Any:
        if name not in self._names:
            return _SERVICE_UNKNOWN
        return _SERVING if self._serving else _NOT_SERVING

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Readiness:
    """Asks the probe again and again, and lets health follow."""

    def __init__(
        self,
        health: HealthServicer,
        probe: Callable[[], Awaitable[None]],
        log: Any,
        *,
        interval_s: float = PROBE_INTERVAL_S,
        timeout_s: float = PROBE_TIMEOUT_S,
    ) -> None:
        """`probe` returns when the service can do its work (a write that is rolled back) and raises when it can't."""
        self._health = health
        self._probe = probe
        self._log = log
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self.succeeded = False
        """Whether the last probe did."""
        self.failures = 0
        self._under_way: asyncio.Task[None] | None = None
        self._loop: asyncio.Task[None] | None = None

    async def check(self) -> bool:
        """Probes once. A probe that outlives its time counts as failed and is left to end: no second one piles up
        behind it."""
        probing = self._under_way
        if probing is None:
            probing = self._under_way = asyncio.create_task(self._run_probe())
        done, _ = await asyncio.wait({probing}, timeout=self._timeout_s)
        failure: BaseException | None = TimeoutError(f"the probe took more than {self._timeout_s} s")
        if done:
            failure = asyncio.CancelledError() if probing.cancelled() else probing.exception()
            self._under_way = None
        self.succeeded = failure is None
        self.failures += failure is not None
        if self._health.set_serving(failure is None):
            if failure is None:
                self._log.info("health", serving=True)
            else:
                self._log.warning("health", serving=False, cause=repr(failure))
        return failure is None

    def start(self) -> None:
        self._loop = asyncio.create_task(self._check_for_ever(), name="readiness")

    async def stop(self) -> None:
        tasks = [task for task in (self._loop, self._under_way) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._loop = self._under_way = None

    async def _check_for_ever(self) -> None:
        while True:
            try:
                await self.check()
            except Exception:  # noqa: BLE001 - a log that can't be written, say; health would otherwise stay as it was for ever
                self._health.set_serving(False)
            await asyncio.sleep(self._interval_s)

    async def _run_probe(self) -> None:
        await self._probe()
