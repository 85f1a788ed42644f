"""Each alert about what comparisons with Stripe find is fired once on the running product."""

from contextlib import asynccontextmanager

import pytest

from billing_service.payments.ports.listings import Listed
from billing_service.payments.stripe.listings import StripeListings
from tests.monitoring.alert_rules import check
from tests.monitoring.test_alerts_of_payments import until
from tests.support.webhooks_withheld import NEVER_S, WebhooksWithheld

pytestmark = pytest.mark.parametrize("store_name", ["sqlite"])
OFTEN = {"BILLING_RECONCILE_INTERVAL_S": "0.1", "BILLING_RECONCILE_REQUESTS_PER_S": "100"}
SAMPLE = 'billing_reconcile_findings_total{outcome="%s"}'


@pytest.fixture
def compared(watched, database, monkeypatch):
    """A running product whose webhooks never come, and that compares all the time."""
    monkeypatch.setattr("billing_service.jobs.reconciliation.SETTLE_US", -5_000_000)

    @asynccontextmanager
    async def run():
        async with watched(database.url, **OFTEN) as running:
            await running.stack.control("switches", {"delay_s": NEVER_S})
            yield running, WebhooksWithheld(running.stack, running.wire)

    return run


async def test_webhooks_that_were_lost(compared, tmp_path):
    async with compared() as (running, stripe):
        before = running.scrape()
        await stripe.paid_checkout("alice", granted=0)
        await until(lambda: running.sample(SAMPLE % "REPAIRED") > 0)
        check(tmp_path, before, running.scrape(), fired=["BillingWebhooksLost"])


async def test_a_contradiction(compared, monkeypatch, tmp_path):
    list_created = StripeListings.list_created

    async def changed(self, kind, *asked):
        page = await list_created(self, kind, *asked)
        return page._replace(objects=[{**each, "currency": "eur"} for each in page.objects])

    async def none(self, *asked):
        del self, asked
        return Listed((), "")

    monkeypatch.setattr(StripeListings, "list_created", changed)
    monkeypatch.setattr(StripeListings, "list_undelivered_events", none)
    async with compared() as (running, stripe):
        before = running.scrape()
        await stripe.paid_checkout("alice", granted=0)
        await until(lambda: running.sample(SAMPLE % "LEFT") > 0)
        check(tmp_path, before, running.scrape(), fired=["BillingStripeContradicts"])
