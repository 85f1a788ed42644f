"""Counters, on a port of their own that only this machine reaches; off unless asked for."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, start_http_server

ANSWERS = Counter("webhook_gateway_answers_total", "Answered requests by HTTP status and code.", ["status", "code"])
FORWARD_FAILURES = Counter(
    "webhook_gateway_forward_failures_total", "Deliveries that the service did not process, by its status.", ["status"]
)
CONNECTIONS_CUT = Counter("webhook_gateway_connections_cut_total", "Connections cut by the phase they were in, or over a limit.", ["phase"])

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
for _service_status in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "PERMISSION_DENIED", "UNAUTHENTICATED", "INVALID_ARGUMENT"):
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
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
