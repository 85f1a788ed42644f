"""Counters, on a port of their own that only this machine reaches; off unless asked for."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, start_http_server

ANSWERS = Counter("webhook_gateway_answers_total", "Answered requests by HTTP status and code.", ["status", "code"])
CONNECTIONS_CUT = Counter("webhook_gateway_connections_cut_total", "Connections cut by the phase they were in, or over a limit.", ["phase"])


@contextmanager
def serving_metrics(port: int | None) -> Iterator[None]:
    """Serve /metrics on the loopback address; None serves nothing. OSError when the port is taken."""
    if port is None:
        yield
        return
    server, thread = start_http_server(port, addr="127.0.0.1")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
