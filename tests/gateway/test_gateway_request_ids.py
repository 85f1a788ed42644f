"""Every request has one id: in the gateway's log, on its way to the service, in the service's log, and in the
answer."""

import logging
import re
import time

import pytest
import structlog

from tests.gateway.gateway_bench import PATH, event, signature, signed
from tests.support.stack import WEBHOOK_SECRET, running_stack
from webhook_gateway.config import HEALTH_PATH

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
FRESH = re.compile(r"[0-9a-f]{16}")
SANE = ["a", "req-1/2:3_4.5", "A" * 64]
ODD = ["", " ", "a b", "ü", "x" * 65, '"', "a\tb", "{}"]
NO_PARENTS = [
    PARENT.replace(TRACE, "0" * 32),
    PARENT.replace("00f067aa0ba902b7", "0" * 16),
    PARENT.replace("00-", "ff-", 1),
    PARENT.upper(),
    PARENT[:-1],
    f"{PARENT}x",
    "",
]


async def answered(http, service, **headers):
    """(id of the answer, headers that went on to the service) of one good delivery."""
    service.calls.clear()
    async with http.post(PATH, data=event(), headers=signed(event()) | headers) as answer:
        assert answer.status == 200
        (call,) = service.calls
        return answer.headers["x-request-id"], call["headers"]


@pytest.mark.parametrize("given", SANE)
async def test_the_senders_own_id_is_kept(http, service, given):
    assert await answered(http, service, **{"X-Request-Id": given}) == (given, {"x-request-id": given})


@pytest.mark.parametrize("given", ODD)
async def test_an_odd_id_is_replaced(http, service, given):
    told, forwarded = await answered(http, service, **{"X-Request-Id": given})
    assert FRESH.fullmatch(told)
    assert forwarded == {"x-request-id": told}


async def test_a_trace_goes_on_and_names_the_request_where_nothing_else_does(http, service):
    assert await answered(http, service, traceparent=PARENT) == (TRACE, {"x-request-id": TRACE, "traceparent": PARENT})
    both = {"x-request-id": "mine", "traceparent": PARENT}
    assert await answered(http, service, **both) == ("mine", both)


@pytest.mark.parametrize("parent", NO_PARENTS)
async def test_what_is_no_trace_does_not_go_on(http, service, parent):
    told, forwarded = await answered(http, service, traceparent=parent)
    assert FRESH.fullmatch(told)
    assert forwarded == {"x-request-id": told}


async def test_no_two_requests_of_a_connection_share_an_id(http, service):
    ids = [(await answered(http, service))[0] for _ in range(5)]
    assert len(set(ids)) == 5


@pytest.mark.parametrize("path", ["/nothing", HEALTH_PATH, "/", "/billing/success?session_id=cs_none"])
async def test_every_answer_carries_it(http, path):
    async with http.get(path, headers={"X-Request-Id": "mine"}) as answer:
        assert answer.headers["x-request-id"] == "mine"


async def test_refusals_carry_it_too(http):
    async with http.post(PATH, data=b"{}", headers={"X-Request-Id": "mine"}) as answer:
        assert (answer.status, answer.headers["x-request-id"]) == (400, "mine")


def kept(lines):
    """A processor that keeps each line and prints none."""

    def keep(_logger, _method, line):
        lines.append(line)
        raise structlog.DropEvent

    return keep


async def test_gateway_and_service_log_it(database):
    """One id finds a delivery in both logs."""
    lines, before = [], structlog.get_config()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, kept(lines)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    try:
        async with running_stack(database.url) as stack:
            body = event(id="evt_found", type="something.new", livemode=False, created=1, data={"object": {}})
            headers = {"Stripe-Signature": signature(body, WEBHOOK_SECRET, int(time.time())), "X-Request-Id": "find-me"}
            answer = await stack.http.post(f"{stack.gateway_url}{PATH}", content=body, headers=headers)
            assert answer.status_code == 200, answer.text
    finally:
        structlog.configure(**before)
    found = {line["event"]: line for line in lines if line.get("correlation_id") == "find-me"}
    assert found.keys() >= {"answered", "rpc"}
    assert found["answered"]["event_id"] == "evt_found"
    assert found["rpc"]["method"] == "ProcessStripeEvent"
