"""Sees everything that the gateway says of itself while it is mistreated, and tells what it should not have had to
say."""

import asyncio
import logging
from contextlib import contextmanager

import structlog
from aiohttp import http_exceptions

UNPARSABLE = {
    name for name, kind in vars(http_exceptions).items() if isinstance(kind, type) and issubclass(kind, Exception)
}
SENDER_LEFT = {"ConnectionResetError", "ClientConnectionResetError"}
"""What aiohttp reports of senders alone, a line without a traceback each: bytes that are not HTTP, and nobody there to
answer."""


class Witness:
    def __init__(self):
        self.lines = []
        self.unhandled = []
        self.records = []

    def complaints(self):
        """Exceptions and errors that were logged, or that nobody caught."""
        bad = [line for line in self.lines if line["log_level"] in ("error", "critical") or line["event"] == "defect"]
        bad += [
            line
            for line in self.lines
            if line["event"] == "http_error" and line["error"] not in UNPARSABLE | SENDER_LEFT
        ]
        return [*map(repr, bad), *self.unhandled, *(record.getMessage() for record in self.records)]


class _Records(logging.Handler):
    def __init__(self, kept):
        super().__init__(logging.ERROR)
        self._kept = kept

    def emit(self, record):
        self._kept.append(record)


@contextmanager
def witnessing():
    """To be entered inside the running loop that serves the gateway."""
    witness, loop = Witness(), asyncio.get_running_loop()
    handler, before = _Records(witness.records), loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: witness.unhandled.append(repr(context)))
    logging.getLogger().addHandler(handler)
    try:
        with structlog.testing.capture_logs() as witness.lines:
            yield witness
    finally:
        logging.getLogger().removeHandler(handler)
        loop.set_exception_handler(before)
