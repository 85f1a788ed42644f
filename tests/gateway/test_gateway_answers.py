"""What every answer has in common, whoever makes it: the gateway, the HTTP library by itself, or the endpoint of
metrics."""

import socket
from contextlib import closing

import pytest
import structlog
from prometheus_client import CollectorRegistry

from billing_service.api.metrics import MetricsServer
from tests.gateway.gateway_bench import PATH, event, gateway_config, raw_delivery, send_raw, signed
from webhook_gateway.config import HEALTH_PATH
from webhook_gateway.metrics import serving_metrics
from webhook_gateway.run import serve_gateway

GOOD = event()
RAW = {
    "a delivery": raw_delivery(GOOD, f"Content-Length: {len(GOOD)}") + GOOD,
    "unsigned": b"POST /webhooks/stripe HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    "health": b"GET /healthz HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n",
    "a page": b"GET / HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n",
    "nothing there": b"GET /nothing HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n",
    "another method": b"DELETE /healthz HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n",
    "compressed": b"POST /webhooks/stripe HTTP/1.1\r\nHost: g\r\nContent-Encoding: gzip\r\nContent-Length: "
    b"0\r\nConnection: close\r\n\r\n",
    "too large": b"POST /webhooks/stripe HTTP/1.1\r\nHost: g\r\nStripe-Signature: t=1,v1=0\r\nContent-Length: "
    b"9999999\r\nConnection: close\r\n\r\n",
    "no HTTP": b"\x16\x03\x01 hello\r\n\r\n",
    "bad header": b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    "bad length": b"POST /webhooks/stripe HTTP/1.1\r\nHost: g\r\nContent-Length: x\r\n\r\n",
}
SCRAPES = {
    "metrics": b"GET /metrics HTTP/1.1\r\nHost: m\r\n\r\n",
    "anything": b"GET /nothing HTTP/1.1\r\nHost: m\r\n\r\n",
    "no HTTP": b"GET / HTTP/x\r\n\r\n",
    "another method": b"BREW /metrics HTTP/1.1\r\nHost: m\r\n\r\n",
}


def server_of(answer):
    """The answer's Server headers."""
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
    return [line.partition(":")[2].strip() for line in head.splitlines() if line.lower().startswith("server:")]


@pytest.mark.parametrize("sent", RAW.values(), ids=RAW)
async def test_no_answer_names_a_version(gateway, sent):
    answer = await send_raw(gateway, sent)
    assert answer.startswith(b"HTTP/1.")
    assert server_of(answer) == ["billing"]


def scraped(port, sent):
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
        return answer


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.mark.parametrize("sent", SCRAPES.values(), ids=SCRAPES)
def test_no_endpoint_of_metrics_names_a_version(sent):
    service, port = MetricsServer(CollectorRegistry(), "127.0.0.1", 0), free_port()
    try:
        with serving_metrics(port):
            answers = [scraped(each, sent) for each in (service.port, port)]
    finally:
        service.close()
    for answer in answers:
        # To what is no HTTP at all, Python's server answers without headers.
        assert server_of(answer) == (["billing"] if answer.startswith(b"HTTP/") else [])
        assert answer
        assert b"WSGI" not in answer


async def test_every_success_says_so(http):
    async with http.post(PATH, data=GOOD, headers=signed(GOOD)) as answer:
        assert await answer.json() == {"success": True, "received": True, "outcome": "PROCESSED"}
    async with http.get(HEALTH_PATH) as answer:
        assert await answer.json() == {"success": True, "status": "serving"}
    async with http.post(PATH, data=GOOD) as answer:
        assert "success" not in await answer.json()


async def test_what_is_as_it_should_be_is_no_news(service):
    """Probes of a balancer, and connections that ended as they all do, are told at DEBUG alone."""
    config = gateway_config(keepalive_timeout_s=0.05)
    with structlog.testing.capture_logs() as lines:
        async with serve_gateway(config, service=service) as url:
            answer = await send_raw(url, RAW["health"].replace(b"Connection: close\r\n", b""))
            service.serving = False
            assert b"200 OK" in answer
    levels = {(line["event"], line["log_level"]) for line in lines if line["event"] in ("answered", "connection_cut")}
    assert levels == {("answered", "debug"), ("connection_cut", "debug")}
