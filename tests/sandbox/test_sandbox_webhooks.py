"""Signed webhooks: verified by the SDK, in order, tried again, and misbehaving when told to."""

from typing import Any

import aiohttp
import pytest
import stripe

from billing_service.sandbox.config import Switches
from tests.sandbox.sandbox_running import SECRET, Running


async def test_signature_is_good_for_these_bytes_and_this_secret_only(sandbox: Running) -> None:
    await sandbox.stripe.v1.customers.create_async({"name": "Zoë"})
    await sandbox.drained()
    (body,), (signature,) = sandbox.received.bodies, sandbox.received.signatures
    for wrong_body, wrong_secret in ((body + b" ", SECRET), (body, SECRET + "x")):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.WebhookSignature.verify_header(wrong_body, signature, wrong_secret, 300)
    assert stripe.WebhookSignature.verify_header(body, signature, SECRET, 300)
    event = sandbox.stripe.construct_event(body, signature, SECRET)
    assert (event.type, event.livemode, event.api_version) == ("customer.created", False, stripe.api_version)
    assert event.data.object["name"] == "Zoë"


async def test_signature_is_made_at_the_real_time_even_when_the_sandbox_is_ahead(sandbox: Running) -> None:
    await sandbox.control("advance", {"seconds": 86400})
    await sandbox.stripe.v1.customers.create_async({})
    await sandbox.drained()
    assert stripe.WebhookSignature.verify_header(
        sandbox.received.bodies[0], sandbox.received.signatures[0], SECRET, 300
    )


async def test_failed_delivery_is_tried_again_and_counted_as_pending(start: Any) -> None:
    sandbox = await start(delivery_attempts_max=3)
    sandbox.received.answers[:] = [500, 302]
    await sandbox.stripe.v1.customers.create_async({})
    await sandbox.drained()
    assert sandbox.received.types == ["customer.created"] * 3
    assert len(set(sandbox.received.bodies)) == 1
    (event,) = await sandbox.events()
    assert event.pending_webhooks == 0

    sandbox.received.answers[:] = [503, 503, 503]
    await sandbox.stripe.v1.products.create_async({"name": "x"})
    await sandbox.drained()
    failed = await sandbox.stripe.v1.events.list_async({"delivery_success": False})
    assert [(event.type, event.pending_webhooks) for event in failed.data] == [("product.created", 1)]
    # A cursor may name an event that the filter leaves out.
    since = await sandbox.stripe.v1.events.list_async({"delivery_success": False, "ending_before": event.id})
    assert [found.id for found in since.data] == [failed.data[0].id]

    await sandbox.control("webhooks/redeliver", {"event": failed.data[0].id})
    await sandbox.drained()
    assert (await sandbox.stripe.v1.events.list_async({"delivery_success": False})).data == []
    assert sandbox.received.types[-1] == "product.created"


async def test_unreachable_endpoint_is_given_up(start: Any, unused_tcp_port: int) -> None:
    from billing_service.sandbox.config import WebhookEndpoint

    sandbox = await start(
        webhook_endpoints=(WebhookEndpoint(f"http://127.0.0.1:{unused_tcp_port}/", SECRET),), delivery_attempts_max=2
    )
    await sandbox.stripe.v1.customers.create_async({})
    drained = await sandbox.control("webhooks/drain")
    assert [(attempt["number"], attempt["status"]) for attempt in drained["attempts"]] == [(1, 0), (2, 0)]
    assert (await sandbox.events())[0].pending_webhooks == 1


async def test_duplicate(start: Any) -> None:
    sandbox = await start(switches=Switches(duplicate=True))
    await sandbox.stripe.v1.customers.create_async({})
    await sandbox.drained()
    assert sandbox.received.types == ["customer.created"] * 2
    assert len({event["id"] for event in sandbox.received.events}) == 1


async def test_reorder_and_back_at_run_time(sandbox: Running) -> None:
    assert (await sandbox.control("switches", {"reorder": True}))["reorder"] is True
    await sandbox.paid_session()
    await sandbox.drained()
    backwards = sandbox.received.types
    assert backwards.index("checkout.session.completed") < backwards.index("payment_intent.created")
    sandbox.received.bodies.clear()
    await sandbox.control("switches", {"reorder": False})
    await sandbox.paid_session()
    await sandbox.drained()
    forwards = sandbox.received.types
    assert forwards.index("payment_intent.created") < forwards.index("checkout.session.completed")


async def test_delay(start: Any) -> None:
    sandbox = await start(switches=Switches(delay_s=0.3))
    await sandbox.stripe.v1.customers.create_async({})
    await sandbox.stripe.v1.customers.create_async({})
    assert sandbox.received.bodies == []
    await sandbox.drained()
    assert sandbox.received.types == ["customer.created"] * 2


async def test_endpoint_added_at_run_time(start: Any) -> None:
    sandbox = await start(webhook_endpoints=())
    await sandbox.stripe.v1.customers.create_async({})
    assert (await sandbox.events())[0].pending_webhooks == 0
    await sandbox.control("webhooks/endpoints", {"url": sandbox.received.url, "secret": SECRET})
    await sandbox.stripe.v1.customers.create_async({})
    await sandbox.drained()
    assert len(sandbox.received.bodies) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("switches", {"duplicat": True}),
        ("switches", {"duplicate": 1}),
        ("switches", {"delay_s": "1"}),
        ("switches", {"delay_s": -1}),
        ("advance", {}),
        ("advance", {"seconds": -1}),
        ("advance", {"seconds": True}),
        ("faults", {"kind": "flood"}),
        ("faults", {"kind": "drop", "count": 0}),
        ("faults", {"kind": "drop", "when": "later"}),
        ("faults", {"kind": "hang", "seconds": 601}),
        ("faults", {"kind": "drop", "colour": "red"}),
        ("faults", {"kind": "drop", "method": 1}),
        ("webhooks/endpoints", {"url": "http://x/y", "secret": "nope"}),
        ("webhooks/endpoints", {"url": 1, "secret": "nope"}),
        ("webhooks/drain", {"timeout_s": 0}),
        ("webhooks/redeliver", {"event": "evt_none"}),
        ("payments/pi_none/settle", {"outcome": "succeeded"}),
        ("payments/pi_none/settle", {"outcome": "perhaps"}),
        ("refunds/re_none/settle", {"status": "failed"}),
        ("sessions/cs_none/expire", {}),
        ("switches", []),
    ],
)
async def test_control_that_is_refused(sandbox: Running, path: str, body: Any) -> None:
    async with sandbox.http.post(f"{sandbox.url}/_sandbox/{path}", json=body) as response:
        assert response.status in {400, 404}
        assert (await response.json())["error"]


async def test_controls_are_closed_to_web_pages(sandbox: Running) -> None:
    """A form of some web page can post text, but not JSON."""
    async with sandbox.http.post(
        f"{sandbox.url}/_sandbox/switches", data='{"duplicate": true}', headers={"Content-Type": "text/plain"}
    ) as response:
        assert response.status == 400
    assert (await sandbox.control("state", method="GET"))["switches"]["duplicate"] is False


async def test_state_tells_what_is_there_and_no_secret(sandbox: Running) -> None:
    session = await sandbox.session()
    state = await sandbox.control("state", method="GET")
    assert state["objects"]["checkout.session"] == 1
    assert state["sessions"][0]["id"] == session.id
    assert SECRET not in str(state)


async def test_landing_pages(sandbox: Running) -> None:
    for path, words in (
        ("/_sandbox/success", "Thank you"),
        ("/_sandbox/cancel", "Nothing was charged"),
        ("/", "stand-in for Stripe"),
    ):
        async with sandbox.http.get(sandbox.url + path) as page:
            assert (page.status, words in await page.text()) == (200, True)
    async with sandbox.http.get(f"{sandbox.url}/_sandbox/assets/..%2fcheckout.html") as page:
        assert page.status == 404
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.url}/_sandbox/assets/checkout.css") as page:
        assert page.content_type == "text/css"
