"""Counters, on a port of their own that only this machine reaches; off unless asked for."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import Counter, Info, disable_created_metrics, start_http_server

SERVER: Final = "billing"
"""All that answers say of the program that makes them."""

DISTRIBUTION: Final = "prepaid-billing"


def _version() -> str:
    """Of a tree that was never installed: unknown."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"


# As the service's: when a counter began says nothing that its process's start does not.
disable_created_metrics()  # type: ignore[no-untyped-call]
BUILD = Info("webhook_gateway_build", "Which program this is.")
ANSWERS = Counter("webhook_gateway_answers_total", "Answered requests by HTTP status and code.", ["status", "code"])
FORWARD_FAILURES = Counter(
    "webhook_gateway_forward_failures_total", "Deliveries that the service did not process, by its status.", ["status"]
)
CONNECTIONS_CUT = Counter(
    "webhook_gateway_connections_cut_total", "Connections cut by the phase they were in, or over a limit.", ["phase"]
)

BUILD.info({"version": _version(), "python": platform.python_version()})
# Shown from the start, at zero: Prometheus sees no increase in a counter whose first sample is one.
for _status, _code in (
    ("200", "processed"),
    ("200", "duplicate"),
    ("200", "ignored"),
    ("200", "quarantined"),
    ("400", "signature_invalid"),
    ("400", "malformed"),
    ("400", "thin_event"),
    ("400", "refused"),
    ("503", "unavailable"),
    ("500", ""),
):
    ANSWERS.labels(_status, _code)
for _service_status in (
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "INTERNAL",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "INVALID_ARGUMENT",
):
    FORWARD_FAILURES.labels(_service_status)
for _phase in ("over_limit", "receiving", "handling", "idle"):
    CONNECTIONS_CUT.labels(_phase)


@contextmanager
def serving_metrics(port: int | None) -> Iterator[None]:
    """Serve /metrics on the loopback address; None serves nothing. OSError when the port is taken."""
    if port is None:
        yield
        return
    server, thread = start_http_server(port, addr="127.0.0.1")
    _name_no_version(server)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(WSGIRequestHandler):
    """Says nothing to a log, and nothing of versions in the answers that Python's own server makes by itself."""

    def version_string(self) -> str:
        return SERVER

    def log_message(self, *_: Any) -> None:
        """No line for a scrape."""


def _name_no_version(server: WSGIServer) -> None:
    """Python's own server would name its version and Python's in every answer."""
    server.RequestHandlerClass = _Handler
    application = server.get_app()
    assert application is not None

    def named(environ: Any, start_response: Any) -> Any:
        return application(
            environ, lambda status, headers, *error: start_response(status, [*headers, ("Server", SERVER)], *error)
        )

    server.set_app(named)
