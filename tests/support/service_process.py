"""Services in processes of their own, which tests may kill."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.stack import environment

SCRIPT = Path(__file__).with_name("serve.py")
ROOT = Path(__file__).parents[2]
RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
]
"""Channel options of a client that finds a restarted service soon."""
NO_STRIPE = "http://127.0.0.1:9"
"""The discard port of this machine: refused at once."""


class StartFailedError(Exception):
    """The process ended before it served; the text is its own."""


def service_settings(database, stripe_base=NO_STRIPE, **others):
    """Settings of a service on a migrated database."""
    return environment(database.url, stripe_base, BILLING_MIGRATE_ON_START="false", **others)


class ServiceProcess:
    """One service at an address that it keeps over restarts."""

    def __init__(self, forker, settings, log, credentials=None):
        self._forker = forker
        self._credentials = credentials
        self.settings = dict(settings)
        self.log = log
        self.pid = None
        self.address = ""
        self.started_in_s = []

    async def start(self):
        """Starts, and waits until it calls itself SERVING."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        answer = await self._forker.order(settings=self.settings, log=str(self.log))
        self.pid = answer["pid"]
        if "failed" in answer:
            await self.ended()
            raise StartFailedError(answer["failed"])
        self.address = self.settings["BILLING_LISTEN"] = answer["address"]
        await wait_for_health(self.address, "SERVING", credentials=self._credentials)
        self.started_in_s.append(loop.time() - begun)

    def signal(self, number):
        os.kill(self.pid, number)

    async def ended(self):
        """Waits for the end; answers the exit code, negative for a signal."""
        pid, self.pid = self.pid, None
        try:
            return (await self._forker.order(wait=pid))["exit"]
        except BaseException:
            os.kill(pid, signal.SIGKILL)  # or the next order would wait for it
            raise

    async def kill(self):
        self.signal(signal.SIGKILL)
        assert await self.ended() == -signal.SIGKILL

    async def stop(self):
        self.signal(signal.SIGTERM)
        return await self.ended()


class Forker:
    """Gives orders to `serve.py`, one at a time."""

    def __init__(self, process):
        self._process = process
        self._turn = threading.Lock()

    async def order(self, **order):
        return await asyncio.to_thread(self._order, json.dumps(order).encode() + b"\n")

    def _order(self, line):
        with self._turn:
            self._process.stdin.write(line)
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        assert answer, "the process that starts services has ended"
        return json.loads(answer)


@contextmanager
def running_forker(**variables):
    """The process that starts services; it ends with the block. It and they have these environment variables
    besides."""
    path = os.pathsep.join(str(ROOT / part) for part in ("", "protos", "clients/python"))
    command = [sys.executable, str(SCRIPT)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path, **variables}
    ) as process:
        yield Forker(process)


@asynccontextmanager
async def running_process(forker, settings, log, credentials=None):
    """A service that serves; whatever became of it is killed in the end. `credentials` are those by which it lets the
    test in."""
    service = ServiceProcess(forker, settings, log, credentials)
    await service.start()
    try:
        yield service
    finally:
        if service.pid is not None:
            await service.kill()


async def health(channel, timeout_s=1.0):
    """What the service says of itself; UNREACHABLE when it says nothing."""
    try:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
    except grpc.aio.AioRpcError:
        return "UNREACHABLE"
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def channel_to(address, credentials=None, options=()):
    """With TLS where there are credentials."""
    if credentials is None:
        return grpc.aio.insecure_channel(address, options)
    return grpc.aio.secure_channel(address, credentials, options)


async def wait_for_health(address, wanted, within_s=10.0, *, credentials=None):
    """Seconds until the service says what is wanted of itself; fails after `within_s`."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with channel_to(address, credentials) as channel:
        while (said := await health(channel)) != wanted:
            assert loop.time() - begun < within_s, f"{said} after {within_s} s, not {wanted}"
            await asyncio.sleep(0.02)
    return loop.time() - begun
