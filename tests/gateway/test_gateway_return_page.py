"""The page after paying: how the checkout stands, in a customer's words, and nothing that the customer does not
know."""

import asyncio
import re

import aiohttp
import grpc
import pytest
from billing_client.errors import OutcomeUnknown, PurchaseNotFound
from prepaid.billing.v1 import purchases_pb2 as sold
from prepaid.billing.v1.stripe_events_pb2 import GetCheckoutStatusResponse
from structlog.testing import capture_logs

from billing_service.domain.catalogue import currencies
from billing_service.settings import Settings
from tests.gateway.gateway_bench import SECRET, gateway_config
from webhook_gateway import amounts
from webhook_gateway.config import CANCEL_PATH, RETURN_PATH
from webhook_gateway.run import serve_gateway

SESSION = "cs_" + "test_a1B2c3"


def checkout(status, **changes):
    given = {"amount_minor": 1_000, "currency": "usd", "credits_microcredits": 1_000_000_000}
    return GetCheckoutStatusResponse(status=f"PURCHASE_STATUS_{status}", **given | changes)


async def read(http, session_id=SESSION, **query):
    async with http.get(RETURN_PATH, params={"session_id": session_id} | query) as answer:
        return answer.status, await answer.text(), answer.headers


def refresh_of(text):
    """After how many seconds the page looks again, and where; None when it does not."""
    found = re.search(r'<meta http-equiv="refresh" content="(\d+);url=([^"]+)">', text)
    return (int(found[1]), found[2].replace("&amp;", "&")) if found else None


@pytest.mark.parametrize(
    "session_id",
    [
        "",
        "cs_",
        "pur_1",
        "pi_1",
        "cs_a b",
        "cs_é",
        "cs_" + "a" * 253,
        "cs_<script>",
        "cs_a\n",
        "cs_$(x)",
        "../cs_a",
        "cs_a&look=1",
    ],
)
async def test_what_is_no_session_is_not_asked_for(http, service, session_id):
    status, text, _ = await read(http, session_id)
    assert (status, service.asked) == (404, [])
    assert "We don&#x27;t know this payment" in text
    assert refresh_of(text) is None
    assert "script>" not in text


async def test_a_session_of_nobody_is_not_known(http, service):
    service.checkout = PurchaseNotFound("canary", status=grpc.StatusCode.NOT_FOUND)
    status, text, _ = await read(http)
    assert status == 404
    assert "canary" not in text
    assert refresh_of(text) is None


@pytest.mark.parametrize(
    "status", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "PERMISSION_DENIED", "UNIMPLEMENTED", "INTERNAL"]
)
async def test_a_service_that_can_t_say_is_asked_again(http, service, status):
    """Also an older one, which has not got the RPC, and one that does not take the gateway's key."""
    service.checkout = OutcomeUnknown("canary", status=grpc.StatusCode[status])
    code, text, _ = await read(http)
    assert code == 503
    assert "Your payment is safe" in text
    assert "canary" not in text
    assert refresh_of(text) == (2, f"?session_id={SESSION}&look=1")


STANDINGS = [
    (checkout("COMPLETED", paid_minor=1_000), "Your credits have arrived", ["1,000", "$10.00"], None),
    (checkout("COMPLETED", paid_minor=750), "Your credits have arrived", ["1,000", "$7.50"], None),
    (checkout("PENDING"), "Your credits are on their way", ["1,000", "$10.00", "mostly within seconds"], 2),
    (
        checkout("AWAITING_FUNDS"),
        "Your order is placed",
        ["1,000", "$10.00", "A bank debit takes some business days"],
        60,
    ),
    (checkout("FAILED"), "The payment did not go through", ["No credits were added"], None),
    (checkout("EXPIRED"), "This checkout has expired", ["Nothing was charged"], None),
    (checkout("CANCELED"), "This purchase was called off", ["Nothing was charged"], None),
    (
        checkout("COMPLETED", amount_minor=1_000, currency="jpy", credits_microcredits=1_500_000),
        "Your credits have",
        ["1.5", "¥1,000"],
        None,
    ),
    (checkout("COMPLETED", amount_minor=12_500, currency="kwd"), "Your credits have arrived", ["12.500 KWD"], None),
]


@pytest.mark.parametrize(
    ("answer", "title", "words", "again_s"), STANDINGS, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_how_it_stands(http, service, *, answer, title, words, again_s):
    service.checkout = answer
    status, text, _ = await read(http)
    (asked,) = service.asked
    assert (status, asked | {"headers": {}}) == (200, {"checkout_session_id": SESSION, "timeout_s": 5.0, "headers": {}})
    assert f"<title>{title}" in text
    assert [word for word in words if word not in text] == []
    refresh = refresh_of(text)
    assert (refresh and refresh[0]) == again_s


def test_every_status_has_its_words():
    told = {answer.status for answer, *_ in STANDINGS}
    assert told == set(sold.PurchaseStatus.values()) - {sold.PURCHASE_STATUS_UNSPECIFIED}


async def test_it_looks_less_and_less_often_and_says_when_it_takes_long(http, service):
    service.checkout = checkout("PENDING")
    waits, look = [], "0"
    for _ in range(40):
        _, text, _ = await read(http, look=look)
        wait_s, where = refresh_of(text)
        waits.append(wait_s)
        assert ("takes longer than usual" in text) == (int(look) > 8)
        look = where.rpartition("=")[2]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (2, 60)
    assert 30 <= sum(waits[:9]) <= 120, "about a minute until it says so"


@pytest.mark.parametrize("look", ["", "-1", "x", "1e9", "\N{ARABIC-INDIC DIGIT ONE}", "999", "9" * 5_000])
async def test_a_count_of_looks_that_is_none_counts_as_the_first(http, service, look):
    service.checkout = checkout("PENDING")
    _, text, _ = await read(http, look=look)
    assert refresh_of(text) == (2, f"?session_id={SESSION}&look=1")


async def test_commands_are_shown_where_a_developer_runs_it(service):
    service.checkout = checkout("COMPLETED")
    config = gateway_config(next_commands=("billing purchases show {session_id}", "billing balance <ACCOUNT>"))
    async with serve_gateway(config, service=service) as url:
        status, text, _ = await read_from(url)
    assert status == 200
    assert f"<pre>billing purchases show {SESSION}\nbilling balance &lt;ACCOUNT&gt;</pre>" in text


async def test_no_command_is_shown_elsewhere(http, service):
    service.checkout = checkout("COMPLETED")
    assert "<pre>" not in (await read(http))[1]


@pytest.mark.parametrize("path", ["/", RETURN_PATH, CANCEL_PATH])
async def test_pages_load_nothing_frame_nothing_and_are_not_kept(http, service, path):
    service.checkout = checkout("PENDING")
    async with http.get(path, params={"session_id": SESSION}) as answer:
        text = await answer.text()
        assert answer.status == 200
        assert answer.content_type == "text/html"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script|<form|src=|@import", text)
    assert SECRET not in text


async def test_the_page_that_was_left_says_that_nothing_was_charged(http, service):
    async with http.get(CANCEL_PATH) as answer:
        assert "Nothing was charged" in await answer.text()
    assert service.asked == []


async def test_the_root_says_what_answers_here(http):
    async with http.get("/") as answer:
        text = await answer.text()
    assert all(words in text for words in ("webhook gateway", "/webhooks/stripe", "/healthz", RETURN_PATH))


async def test_the_session_is_not_logged(http, service):
    service.checkout = checkout("PENDING")
    with capture_logs() as lines:
        await read(http)
    assert [line["path"] for line in lines if line["event"] == "answered"] == [RETURN_PATH]
    assert SESSION not in repr(lines)


async def test_a_page_that_is_read_leaves_deliveries_alone(http, service):
    service.checkout = checkout("PENDING")
    await asyncio.gather(*(read(http) for _ in range(20)))
    assert service.calls == []


def test_the_page_is_where_the_service_sends_customers():
    defaults = {field.validation_alias: field.default for field in Settings.model_fields.values()}
    assert defaults["BILLING_CHECKOUT_SUCCESS_PATH"] == f"{RETURN_PATH}?session_id={{CHECKOUT_SESSION_ID}}"
    assert defaults["BILLING_CHECKOUT_CANCEL_PATH"] == CANCEL_PATH


def test_currencies_have_the_decimals_that_the_service_counts():
    assert (amounts.ZERO_DECIMAL, amounts.THREE_DECIMAL) == (currencies.ZERO_DECIMAL, currencies.THREE_DECIMAL)


async def read_from(url):
    async with aiohttp.ClientSession(url) as session:
        return await read(session)
