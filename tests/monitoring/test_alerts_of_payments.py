"""Each alert about events, purchases and Stripe is fired once, by breaking what it watches on the running product."""

import asyncio
import json
import sqlite3
import time
from contextlib import AsyncExitStack, asynccontextmanager, closing

import pytest
from billing_client.errors import BillingError, StripeKeyRefused

from tests.monitoring.alert_rules import WEBHOOKS, check
from tests.support.patience import PATIENCE_S
from tests.support.stack import WEBHOOK_SECRET
from tests.support.webhooks_withheld import NEVER_S, WebhooksWithheld
from tests.support.wire import signature
from webhook_gateway.config import GatewayConfig
from webhook_gateway.run import serve_gateway

pytestmark = pytest.mark.parametrize("store_name", ["sqlite"])
COMPLETED = "checkout.session.completed"
LATE_S = 700
OTHER_SECRET = "whsec_" + "of-somebody-else-0123"


@pytest.fixture
def withheld(watched, database):
    """A running product whose events the test delivers itself."""

    @asynccontextmanager
    async def run(**settings):
        async with watched(database.url, **settings) as running:
            await running.stack.control("switches", {"delay_s": NEVER_S})
            yield running, WebhooksWithheld(running.stack, running.wire)

    return run


async def paid(withheld):
    """A purchase that was paid, and the event that says so, delivered to nobody yet."""
    purchase = await withheld.paid_checkout("alice", granted=0)
    (event,) = await withheld.events(COMPLETED)
    return purchase, event


async def until(condition):
    async with asyncio.timeout(20):
        # A page of metrics, which tells nobody of its changes.
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def post(running, event, secret=WEBHOOK_SECRET):
    """Delivers an event at the gateway; answers the status."""
    payload = json.dumps(event).encode()
    headers = {"Stripe-Signature": signature(payload, secret)}
    return (
        await running.stack.http.post(f"{running.stack.gateway_url}/webhooks/stripe", content=payload, headers=headers)
    ).status_code


async def test_an_event_that_says_something_else_than_was_sold(withheld, tmp_path):
    async with withheld() as (running, stripe):
        before = running.scrape()
        _, event = await paid(stripe)
        event["data"]["object"]["amount_subtotal"] += 1
        assert await stripe.wire.deliver(event) == "QUARANTINED"
        check(
            tmp_path, before, running.scrape(), fired=["BillingStripeEventQuarantined", "BillingCreditAllocationError"]
        )


@pytest.mark.unchecked_ledger
async def test_an_event_that_could_not_be_processed(withheld, database, tmp_path):
    async with withheld() as (running, stripe):
        before = running.scrape()
        _, event = await paid(stripe)
        with closing(sqlite3.connect(database.path)) as connection:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("ALTER TABLE entries RENAME TO entries_elsewhere")
        assert await post(running, event) == 503
        fired = ["BillingStripeEventsFailing", "BillingCreditAllocationError", "WebhookFailures", "BillingDefect"]
        check(tmp_path, before, running.scrape(), fired=fired)


async def test_credits_that_came_late(withheld, database, tmp_path):
    async with withheld() as (running, stripe):
        before = running.scrape()
        purchase, event = await paid(stripe)
        with closing(sqlite3.connect(database.path)) as connection:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("UPDATE purchases SET create_time_us = create_time_us - ?", (LATE_S * 1_000_000,))
            connection.commit()
        assert await stripe.wire.deliver(event | {"created": event["created"] - LATE_S}) == "PROCESSED"
        assert (await stripe.ends("alice", purchase))["available"] == 1_000
        check(tmp_path, before, running.scrape(), fired=["BillingPaymentCreditedLate", "BillingPurchaseSlow"])


async def test_money_without_credits(withheld, monkeypatch, tmp_path):
    """As at an endpoint that lacks checkout.session.*: the payment is told, and nothing else."""
    monkeypatch.setattr("billing_service.jobs.start.OVERDUE_INTERVAL_S", 0.05)
    async with withheld() as (running, stripe):
        before = running.scrape()
        purchase = await stripe.paid_checkout("alice", granted=0)
        (event,) = await stripe.events("payment_intent.succeeded")
        assert await stripe.wire.deliver(event | {"created": event["created"] - LATE_S}) == "PROCESSED"
        await until(lambda: running.sample("billing_purchases_paid_uncompleted{}") == 1)
        check(tmp_path, before, running.scrape(), fired=["BillingPaidNotCompleted"])
        with pytest.raises(BillingError):
            await running.wire.do("CancelPurchase", purchase_id=purchase.purchase_id)
        assert (await stripe.ends("alice", purchase))["available"] == 1_000
        await until(lambda: running.sample("billing_purchases_paid_uncompleted{}") == 0)


async def test_a_refund_that_nobody_repeats(withheld, database, monkeypatch, tmp_path):
    monkeypatch.setattr("billing_service.jobs.start.OVERDUE_INTERVAL_S", 0.05)
    async with withheld() as (running, stripe):
        before = running.scrape()
        purchase, event = await paid(stripe)
        assert await stripe.wire.deliver(event) == "PROCESSED"
        wanted = {"purchase_id": purchase.purchase_id, "idempotency_key": "k"}
        fault = {"kind": "error", "when": "before", "count": 30, "method": "POST", "path_prefix": "/v1/refunds"}
        await running.stack.control("faults", fault)
        with pytest.raises(BillingError):
            await running.wire.call("Refund", **wanted)
        with closing(sqlite3.connect(database.path)) as connection:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("UPDATE refunds SET create_time_us = create_time_us - ?", (LATE_S * 1_000_000,))
            connection.commit()
        await until(lambda: running.sample("billing_refunds_unsent{}") == 1)
        check(tmp_path, before, running.scrape(), fired=["BillingRefundUnsent"])
        await running.stack.http.delete(f"{running.stack.sandbox_url}/_sandbox/faults")
        assert await running.wire.call("Refund", **wanted)
        await until(lambda: running.sample("billing_refunds_unsent{}") == 0)


@pytest.mark.parametrize("kind", ["charge.dispute.created", "radar.early_fraud_warning.created"])
async def test_a_payment_that_is_disputed(withheld, tmp_path, kind):
    async with withheld() as (running, stripe):
        purchase, event = await paid(stripe)
        assert await stripe.wire.deliver(event) == "PROCESSED"
        before = running.scrape()
        about = {
            "id": "dp_1",
            "object": "dispute" if "dispute" in kind else "radar.early_fraud_warning",
            "livemode": False,
            "amount": 1_000,
            "currency": "usd",
            "status": "needs_response",
        }
        for payment_intent in ("pi_of_another_product", await stripe.payment_intent(purchase)):
            told = event | {
                "id": f"evt_{payment_intent}",
                "type": kind,
                "data": {"object": about | {"payment_intent": payment_intent}},
            }
            await stripe.wire.deliver(told)
        check(tmp_path, before, running.scrape(), fired=["BillingPurchaseDisputed"])
        assert (await stripe.ends("alice", purchase))["available"] == 1_000


async def test_checkouts_that_were_abandoned(withheld, tmp_path):
    async with withheld() as (running, stripe):
        before = running.scrape()
        for number in range(11):
            made = (
                await running.wire.do("CreatePurchase", account_id=f"account-{number}", package_code="starter")
            ).purchase
            if number < 6:
                await running.stack.control(f"sessions/{made.checkout_session_id}/expire")
            else:
                await running.stack.pay(made.checkout_url)
            for event in await stripe.events("checkout.session.expired", COMPLETED):
                assert await stripe.wire.deliver(event) == "PROCESSED"
        check(tmp_path, before, running.scrape(), fired=["BillingCheckoutsAbandoned"])


async def test_stripe_that_errs(withheld, tmp_path):
    async with withheld() as (running, _):
        before = running.scrape()
        await running.stack.control("faults", {"kind": "error", "count": 100, "method": "POST"})
        for number in range(12):
            with pytest.raises(BillingError):
                await running.wire.do("CreatePurchase", account_id=f"account-{number}", package_code="starter")
        check(tmp_path, before, running.scrape(), fired=["BillingStripeErrors"])


@pytest.mark.parametrize("kind", ["unauthenticated", "forbidden"])
async def test_stripe_that_refuses_the_key(withheld, tmp_path, kind):
    async with withheld() as (running, _):
        before = running.scrape()
        await running.stack.control("faults", {"kind": kind, "count": 2, "method": "POST"})
        with pytest.raises(StripeKeyRefused):
            await running.wire.do("CreatePurchase", account_id="alice", package_code="starter")
        check(tmp_path, before, running.scrape(), fired=["BillingStripeKeyRefused"])


async def test_an_event_that_was_forged_with_the_gateways_key(withheld, tmp_path):
    async with withheld() as (running, stripe):
        before = running.scrape()
        _, event = await paid(stripe)
        with pytest.raises(BillingError):
            await stripe.wire.deliver(event, secret=OTHER_SECRET)
        check(tmp_path, before, running.scrape(), fired=["BillingForgedEvents"])


async def test_events_that_were_forged(withheld, tmp_path):
    async with withheld() as (running, _):
        before = running.scrape()
        assert {await post(running, {"id": f"evt_{number}"}, OTHER_SECRET) for number in range(7)} == {400}
        check(tmp_path, before, running.scrape(), fired=["WebhookSignaturesRefused"], quiet=["WebhookFailures"])


async def test_a_gateway_without_a_key(withheld, tmp_path):
    async with withheld(BILLING_AUTH="keys") as (running, _):
        before = running.scrape()
        event = {
            "id": "evt_1",
            "object": "event",
            "type": "x.y",
            "created": int(time.time()),
            "livemode": False,
            "data": {"object": {}},
        }
        assert await post(running, event) == 503
        check(tmp_path, before, running.scrape(), fired=["WebhookKeyRefused", "WebhookFailures"])


async def test_senders_that_never_end(withheld, tmp_path):
    async with withheld() as (running, _), AsyncExitStack() as open_connections:
        before = running.scrape()
        slow = GatewayConfig(secrets=(WEBHOOK_SECRET,), receive_timeout_s=0.1)
        url = await open_connections.enter_async_context(serve_gateway(slow))
        host, _, port = url.removeprefix("http://").rpartition(":")
        connections = [await asyncio.open_connection(host, int(port)) for _ in range(25)]
        for reader, writer in connections:
            async with asyncio.timeout(PATIENCE_S):
                assert await reader.read() == b""
            writer.close()
        check(tmp_path, before, running.scrape(), fired=["WebhookConnectionsCut"])


async def test_ended_holds_that_nobody_books(withheld, database, monkeypatch, tmp_path):
    monkeypatch.setattr("billing_service.jobs.start.OVERDUE_INTERVAL_S", 0.05)
    async with withheld(BILLING_EXPIRY_SWEEP_INTERVAL_S="86400") as (running, stripe):
        before = running.scrape()
        await running.wire.do("GrantCredits", account_id="ann", amount_microcredits=10, reason="gift")
        await running.wire.do("HoldCredits", account_id="ann", amount_microcredits=7)
        with closing(sqlite3.connect(database.path)) as connection:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            moved = (2 * LATE_S * 1_000_000,)
            connection.execute("UPDATE holds SET expire_time_us = expire_time_us - ?", moved)
            connection.execute("UPDATE accounts SET holds_end_us = holds_end_us - ?", moved)
            connection.commit()
        await until(lambda: running.sample("billing_holds_unbooked_accounts{}") == 1)
        check(tmp_path, before, running.scrape(), fired=["BillingHoldsUnbooked"])
        await running.wire.do("GrantCredits", account_id="ann", amount_microcredits=1, reason="gift")
        await until(lambda: running.sample("billing_holds_unbooked_accounts{}") == 0)
        assert stripe is not None


async def test_usage_that_no_card_prices(withheld, monkeypatch, tmp_path):
    monkeypatch.setattr("billing_service.jobs.start.OVERDUE_INTERVAL_S", 0.05)
    async with withheld() as (running, _):
        before = running.scrape()
        await running.wire.do("GrantCredits", account_id="ann", amount_microcredits=10, reason="gift")
        made = await running.wire.do("HoldCredits", account_id="ann", amount_microcredits=7)
        lines = [{"kind": 1, "quantity": 5}]
        unknown = {"provider": "openai", "model": "gpt-99", "lines": lines}
        await running.wire.do("CaptureHold", account_id="ann", hold_id=made.hold.hold_id, usage=unknown)
        await until(lambda: running.sample("billing_usages_unpriced{}") == 1)
        check(tmp_path, before, running.scrape(), fired=["BillingUsageUnpriced"])


def count_of(database, sql):
    with closing(sqlite3.connect(database.path)) as connection:
        return connection.execute(sql).fetchone()[0]


async def test_business_events_that_reach_no_backend(withheld, database, monkeypatch, tmp_path):
    monkeypatch.setattr("billing_service.jobs.start.WEBHOOK_FIGURES_INTERVAL_S", 0.05)
    async with withheld(**WEBHOOKS) as (running, _):
        await until(lambda: count_of(database, "SELECT start_time_us FROM webhook_endpoint"))
        before = running.scrape()
        await running.wire.do("GrantCredits", account_id="ann", amount_microcredits=10, reason="gift")
        await running.wire.do("SetSpendLimit", account_id="ann", window=1, limit_microcredits=7)
        await until(lambda: count_of(database, "SELECT count(*) FROM webhook_deliveries WHERE attempt_count > 0"))
        with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("UPDATE outbox SET create_time_us = create_time_us - 1000000000")
        await until(lambda: running.sample("billing_webhook_oldest_seconds{}") > 900)
        check(tmp_path, before, running.scrape(), fired=["BillingWebhooksWait"])
        with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("UPDATE webhook_deliveries SET state = 2")
        await until(lambda: running.sample("billing_webhook_dead{}") == 1)
        check(tmp_path, before, running.scrape(), fired=["BillingWebhookDead"])
