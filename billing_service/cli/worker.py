"""One worker of `billing serve --workers`: the service, told by a socket where it is wanted, and ending with it."""

import asyncio
import json
import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

from billing_service.cli.failures import explained
from billing_service.cli.stopping import Stop, run_until_stopped

if TYPE_CHECKING:
    from billing_service.settings import Settings


def main() -> None:
    """Serves until a signal comes or the other end of the socket is closed."""
    import structlog
    import typer

    from billing_service.cli.serve import uvloop_or_none
    from billing_service.logs import configure_logs
    from billing_service.settings import load_settings

    number, descriptor, uvloop = sys.argv[1:4]
    try:
        with explained(), socket.socket(fileno=int(descriptor)) as supervisor:
            settings = load_settings()
            configure_logs(settings)
            structlog.contextvars.bind_contextvars(worker=int(number))
            with asyncio.Runner(loop_factory=uvloop_or_none(uvloop == "uvloop")) as runner:
                code = runner.run(run_until_stopped(lambda stop: _serve(settings, supervisor, stop)))
    except typer.Exit as failed:
        code = failed.exit_code
    sys.exit(code)


async def _serve(settings: "Settings", supervisor: socket.socket, stop: Stop) -> None:
    from billing_service.bootstrap import open_service
    from billing_service.collector import collector_spared

    async with open_service(settings) as running:
        with collector_spared():
            stop.cut_off = lambda: running.server.stop(at_once=True)
            supervisor.sendall(json.dumps([running.address, running.metrics_port]).encode() + b"\n")
            threading.Thread(target=_end_with, args=(supervisor,), daemon=True).start()
            await stop.asked.wait()


def _end_with(supervisor: socket.socket) -> None:
    """A supervisor that was killed sends no signal."""
    try:
        supervisor.recv(1)
    except OSError:
        return  # closed here: the worker has ended by itself
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
