"""`billing serve --workers`: several processes of the service on one PostgreSQL, each at an address of its own. One
that dies is started again; one page has the metrics of all."""

import asyncio
import json
import os
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from billing_service.cli.display import fail, say
from billing_service.cli.stopping import Stop

if TYPE_CHECKING:
    from billing_service.settings import Settings

log = structlog.get_logger(__name__)

WORKERS_MAX = 64
PORT_MAX = 65_535
RESTART_S = 0.5
"""Pause before a worker that died is started again; it doubles as long as they die young."""
RESTART_MAX_S = 30.0
YOUNG_S = 60.0
LOOPBACK_PAGE = "127.0.0.1:0"


class Worker:
    """One process, and what is known of it."""

    def __init__(self, number: int, listen: str, *, uvloop: bool) -> None:
        self.number = number
        self.address = listen
        """Where it serves; after its first start without the port 0."""
        self.metrics_port: int | None = None
        """None while it does not serve."""
        self._uvloop = uvloop
        self._process: asyncio.subprocess.Process | None = None

    @property
    def was_started(self) -> bool:
        """Whether there is a process, or was one."""
        return self._process is not None

    async def start(self) -> bool:
        """Starts, and waits until it serves. False when it ended before that; it has said why."""
        ours, theirs = socket.socketpair()
        how = "uvloop" if self._uvloop else "asyncio"
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "billing_service.cli.worker", str(self.number), str(theirs.fileno()), how),
                pass_fds=[theirs.fileno()],
                # Ctrl-C is for the supervisor, which passes it on once.
                start_new_session=True,
                env=os.environ | {"BILLING_LISTEN": self.address, "BILLING_METRICS_ADDRESS": LOOPBACK_PAGE},
            )
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        line = await reader.readline()
        if not line:
            return False
        self.address, self.metrics_port = json.loads(line)
        return True

    async def ended(self) -> int:
        """Waits for its end; answers the exit code, negative for a signal."""
        assert self._process is not None
        code = await self._process.wait()
        self.metrics_port = None
        self._writer.close()
        return code

    def terminate(self) -> None:
        """Asks it to end; once more: at once."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()


def addresses_of_workers(listen: str, workers: int) -> list[str]:
    """One for each, at ports that follow each other; port 0 is the system's choice for each. ValueError when there are
    not so many ports."""
    host, _, port = listen.rpartition(":")
    first = int(port)
    if first and first + workers - 1 > PORT_MAX:
        raise ValueError(f"{workers} ports do not follow {first}")
    return [f"{host}:{first + number if first else 0}" for number in range(workers)]


def confirm_workers(settings: "Settings", workers: int) -> list[str]:
    """The addresses of the workers. Ends the command where they can't be."""
    from billing_service.storage.postgres.server import PostgresServer

    if not isinstance(settings.database, PostgresServer):
        fail("--workers needs PostgreSQL: only one process may serve a SQLite file", code=2)
    try:
        return addresses_of_workers(settings.listen, workers)
    except ValueError as error:
        fail(f"BILLING_LISTEN: {error}", code=2)


async def supervise(settings: "Settings", listen: list[str], stop: Stop, *, uvloop: bool) -> None:
    """Serves until `stop.asked`. SystemExit when a worker could not start at first."""
    from prometheus_client import CollectorRegistry

    from billing_service.api.metrics import MetricsServer
    from billing_service.api.worker_pages import WorkerPages

    workers = [Worker(number, address, uvloop=uvloop) for number, address in enumerate(listen)]
    pages = WorkerPages(lambda: {worker.number: worker.metrics_port for worker in workers})
    metrics: MetricsServer | None = None

    async def end_at_once() -> None:
        for worker in workers:
            worker.terminate()

    stop.cut_off = end_at_once
    if settings.metrics_host_port is not None:
        registry = CollectorRegistry()
        registry.register(pages)
        metrics = MetricsServer(registry, *settings.metrics_host_port, is_healthy=pages.all_serve)
    try:
        # The first one by itself: it migrates the database where settings say so.
        await _start_all(workers[:1], stop)
        await _start_all(workers[1:], stop)
        keeping = [asyncio.ensure_future(_keep(worker, stop)) for worker in workers if worker.was_started]
        if not stop.asked.is_set():
            say("BILLING_ADDRESS=" + ",".join(worker.address for worker in workers))
        await stop.asked.wait()
        for worker in workers:
            worker.terminate()
        await asyncio.gather(*keeping)
    finally:
        for worker in workers:
            worker.terminate()
        if metrics is not None:
            await asyncio.to_thread(metrics.close)


async def _start_all(workers: list[Worker], stop: Stop) -> None:
    if stop.asked.is_set():
        return
    started = await asyncio.gather(*(worker.start() for worker in workers))
    for worker, serves in zip(workers, started, strict=True):
        if not serves:
            raise SystemExit(await worker.ended() or 1)
        say(f"worker {worker.number} serves at {worker.address}")


async def _keep(worker: Worker, stop: Stop) -> None:
    """Starts a worker again whenever it dies, until all are to end."""
    pause_s, begun = RESTART_S, time.monotonic()
    while True:
        code = await worker.ended()
        if stop.asked.is_set():
            return
        pause_s = RESTART_S if time.monotonic() - begun > YOUNG_S else pause_s
        log.warning("worker_ended", worker=worker.number, exit_code=code, restart_in_s=pause_s)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.asked.wait(), pause_s)
            return
        pause_s, begun = min(2 * pause_s, RESTART_MAX_S), time.monotonic()
        if await worker.start():
            log.info("worker_restarted", worker=worker.number, address=worker.address)
        if stop.asked.is_set():
            worker.terminate()
