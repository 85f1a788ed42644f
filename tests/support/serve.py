"""Service processes to kill.

Reads orders from standard input, one JSON object a line: `{"settings": …, "log": …}` forks a service, `{"wait": pid}`
tells how one ended. Forking spares each of dozens of restarts the seconds that imports take.
"""

import asyncio
import json
import os
import signal
import sys

from billing_service.api import server
from billing_service.bootstrap import open_service
from billing_service.logs import configure_logs
from billing_service.settings import load_settings

CONNECTION_AGE_VARIABLE = "BILLING_TEST_MUTUAL_CONNECTION_AGE_S"
"""Seconds, for a test that won't wait as long as the service would."""


def say(**line):
    os.write(1, json.dumps(line).encode() + b"\n")


async def serve(environment):
    """Serves until SIGTERM; a second one cuts short what is under way."""
    settings = load_settings(environment)
    configure_logs(settings)
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    async with open_service(settings) as service:
        at_once = []

        def stop():
            if asked.is_set():
                at_once.append(loop.create_task(service.server.stop(at_once=True)))
            asked.set()

        loop.add_signal_handler(signal.SIGTERM, stop)
        say(pid=os.getpid(), address=service.address)
        await asked.wait()
    await asyncio.gather(*at_once)


def run(environment):
    """Serves; answers the exit code."""
    try:
        asyncio.run(serve(environment))
    except Exception as error:  # noqa: BLE001 - reported to whoever ordered it
        say(pid=os.getpid(), failed=f"{type(error).__name__}: {error}")
        return 1
    return 0


def fork(order):
    if os.fork():
        return
    code = 70
    try:
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 2)
        os.close(0)
        code = run(order["settings"])
    finally:
        os._exit(code)


def main():
    if CONNECTION_AGE_VARIABLE in os.environ:
        server.MUTUAL_CONNECTION_AGE_MAX_S = int(os.environ[CONNECTION_AGE_VARIABLE])
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            say(pid=order["wait"], exit=os.waitstatus_to_exitcode(status))
        else:
            fork(order)


if __name__ == "__main__":
    main()
