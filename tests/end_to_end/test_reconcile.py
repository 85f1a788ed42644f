"""Reconcile over a real socket, on both stores: what webhooks lost is found, repaired and found no more."""

from datetime import UTC, datetime, timedelta

import pytest
from billing_client.errors import InvalidField, Overloaded, PurchaseNotFound, ShuttingDown, StripeUnavailable
from prepaid.billing.v1.reconciling_pb2 import FindingKind, FindingOutcome

from billing_service import bootstrap
from billing_service.api.streams import parts as streams
from billing_service.reconcile.pace import Pace
from tests.support.stack import CREDIT, running_stack
from tests.support.webhooks_withheld import webhooks_withheld

pytestmark = pytest.mark.asyncio(loop_scope="session")

FAST = {"BILLING_RECONCILE_REQUESTS_PER_S": "100", "BILLING_RECONCILE_INTERVAL_S": "0"}
WHY = {"dry_run": False, "reason": "webhooks were lost"}


async def told(client, **asked):
    """Kind and outcome of all findings, in order."""
    return [
        (FindingKind.Name(each.kind)[13:], FindingOutcome.Name(each.outcome)[16:])
        async for part in client.reconcile(**asked)
        for each in part.findings
    ]


@pytest.fixture
def withheld(database):
    return lambda **settings: webhooks_withheld(database.url, **{**FAST, **settings})


async def test_a_day_whose_webhooks_were_lost(withheld):
    async with withheld() as world:
        client = world.stack.client
        made = await world.paid_checkout("ada")
        intent = await world.payment_intent(made)
        await world.stripe("POST", "refunds", payment_intent=intent, amount="100")
        before = await world.ends("ada", made)
        dry = await told(client)
        assert dry[:2] == [("PURCHASE_NOT_COMPLETED", "FOUND"), ("PURCHASE_OUTDATED", "FOUND")]
        assert {kind for kind, _ in dry[2:]} == {"EVENT_MISSING"}
        assert await world.ends("ada", made) == before
        assert not (await client.list_stripe_events()).events
        done = await told(client, **WHY)
        assert [kind for kind, _ in done[:3]] == ["PURCHASE_NOT_COMPLETED", "PURCHASE_OUTDATED", "REFUND_OUTDATED"]
        assert {outcome for _, outcome in done} == {"REPAIRED"}
        ends = await world.ends("ada", made)
        assert (ends["available"], ends["paid"], ends["refunded"], ends["reversed"]) == (1_000, 1_000, 100, 100)
        assert await told(client, **WHY) == []
        # Stripe's own deliveries, when they come at last, find everything done.
        answers = {await world.wire.deliver(event) for event in await world.events("checkout.session.completed")}
        assert answers <= {"DUPLICATE"}
        audit = [each for each in (await client.list_audit_records()).records if each.method.endswith("Reconcile")]
        assert len(audit) == 2
        assert "webhooks were lost" in audit[0].detail


async def test_one_purchase_with_all_that_stripe_has_of_it(withheld):
    async with withheld() as world:
        client = world.stack.client
        made = await world.paid_checkout("ada")
        for reference in (made.purchase_id, made.checkout_session_id, await world.payment_intent(made)):
            [part] = [each async for each in client.reconcile(purchase=reference)]
            assert [(each.kind, each.status) for each in part.objects] == [
                ("checkout.session", "complete, paid"),
                ("payment_intent", "succeeded"),
            ]
            assert {(each.amount_minor, each.currency) for each in part.objects} == {(1_000, "usd")}
            assert part.findings[0].kind == FindingKind.FINDING_KIND_PURCHASE_NOT_COMPLETED
            assert part.findings[0].purchase_id == made.purchase_id
        with pytest.raises(PurchaseNotFound):
            await told(client, purchase="cs_nobody")
        assert ("PURCHASE_NOT_COMPLETED", "REPAIRED") in await told(client, purchase=made.purchase_id, **WHY)
        assert (await world.ends("ada", made))["available"] == 1_100
        assert await told(client, purchase=made.purchase_id, **WHY) == []


async def test_a_run_goes_on_where_it_was_broken_off(withheld):
    async with withheld() as world:
        client = world.stack.client
        made = await world.paid_checkout("ada")
        since = datetime.now(UTC) - timedelta(hours=1)
        parts = client.reconcile(start_time=since, **WHY)
        first = await anext(parts)
        await parts.aclose()
        assert (first.stage, len(first.findings)) == ("checkout.session", 1)
        assert (await world.ends("ada", made))["available"] == 1_100
        rest = [each async for each in client.reconcile(start_time=since, resume_token=first.resume_token, **WHY)]
        assert rest[0].stage == "payment_intent"
        assert rest[-1].resume_token == ""
        for asked in ({"start_time": since}, {"start_time": since - timedelta(seconds=1), **WHY}):
            with pytest.raises(InvalidField, match="resume_token"):
                await told(client, resume_token=first.resume_token, **asked)


async def test_a_stripe_that_is_away_is_told_and_a_busy_one_is_waited_for(withheld, monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr(bootstrap, "Pace", lambda requests_per_s: Pace(requests_per_s, sleep=sleep))
    async with withheld() as world:
        made = await world.paid_checkout("ada")
        await world.stack.control("faults", {"kind": "rate_limit", "count": 3, "path_prefix": "/v1/refunds"})
        assert ("PURCHASE_NOT_COMPLETED", "REPAIRED") in await told(world.stack.client, **WHY)
        assert [round(seconds) for seconds in slept if seconds > 0.5][:3] == [1, 2, 4]
        await world.stack.control("faults", {"kind": "drop", "count": 100})
        with pytest.raises(StripeUnavailable):
            await told(world.stack.client, timeout_s=0.2)
        assert (await world.ends("ada", made))["available"] == 1_100


async def test_more_than_a_few_at_once_are_refused(withheld, monkeypatch):
    monkeypatch.setattr(streams, "CALLS_MAX", 1)
    async with withheld(BILLING_RECONCILE_REQUESTS_PER_S="1") as world:
        running = world.stack.client.reconcile()
        await anext(running)
        with pytest.raises(Overloaded):
            await told(world.stack.client, timeout_s=0.05)
        await running.aclose()


async def test_a_shutdown_ends_it_between_two_parts(database):
    async with running_stack(database.url, **FAST, BILLING_DRAIN_WAIT_S="0") as stack:
        bought = await stack.buy("ada")
        assert bought.credits_microcredits == 1_000 * CREDIT
        parts = stack.client.reconcile()
        first = await anext(parts)
        assert first.resume_token
        stack.service.server.edge.admission.end_streams()
        with pytest.raises(ShuttingDown):
            await told(stack.client, timeout_s=0.1)
        await parts.aclose()
