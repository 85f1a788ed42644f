"""Programs that run beside a test and write into files."""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAID_WITHIN_S = 20.0
FORGOTTEN = ("BILLING_", "STRIPE_", "GATEWAY_")


class Processes:
    """Those that a test started; none outlives it."""

    def __init__(self, directory):
        self._directory = directory
        self._started = []

    def start(self, *command, **variables):
        env = {name: value for name, value in os.environ.items() if not name.startswith(FORGOTTEN)}
        log = self._directory / f"process-{len(self._started)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, env={**env, **variables}, cwd=self._directory, stdout=out, stderr=subprocess.STDOUT
            )
        process.log = log
        self._started.append(process)
        return process

    async def until_said(self, process, words):
        """The first line with these words."""
        async with asyncio.timeout(SAID_WITHIN_S):
            while True:
                for line in process.log.read_text().splitlines():
                    if words in line:
                        return line
                assert process.poll() is None, process.log.read_text()
                await asyncio.sleep(0.02)

    async def stop(self, process):
        process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(process.wait, 20)

    def end(self):
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()
