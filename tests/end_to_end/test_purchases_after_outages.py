"""A purchase that was begun before a long outage opens at the first repeat of its call, whatever became of its first
page."""

import asyncio
import json

import pytest
import pytest_asyncio
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_CANCELED, PURCHASE_STATUS_EXPIRED, PURCHASE_STATUS_PENDING
from prepaid.billing.v1.stripe_events_pb2 import ProcessStripeEventRequest, StripeEventOutcome

from tests.end_to_end.lasting_stripe import hasty, lasting_stripe
from tests.end_to_end.leaping_clock import LeapingClock
from tests.support.wire import row_counts, signature

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOUR_S = 3_600
LIFETIME_S = 23 * HOUR_S
DOWN = ("UNAVAILABLE", "STRIPE_UNAVAILABLE")
PURCHASE = {"account_id": "acme", "package_code": "starter", "idempotency_key": "k"}
EXPIRED = "checkout.session.expired"


@pytest.fixture(autouse=True)
def _hasty_sdk(monkeypatch):
    hasty(monkeypatch)


class Outage:
    """A service and a Stripe whose clocks are moved together."""

    def __init__(self, stripe, clock, wire):
        self.stripe, self.clock, self.wire = stripe, clock, wire

    async def pass_by(self, seconds):
        await self.stripe.control("advance", seconds=seconds)
        self.clock.off_us += seconds * 1_000_000

    async def begin(self, *, executed):
        """A purchase of which Stripe tells nothing; answers its id."""
        if executed:
            await self.stripe.lose_answer()
        else:
            await self.stripe.fault("drop", when="before", count=30)
        assert await self.wire.refusal("CreatePurchase", **PURCHASE) == DOWN
        await self.stripe.mend()
        [begun] = (await self.wire.call("ListPurchases", account_id="acme")).purchases
        return begun.purchase_id

    async def deliver(self, event_type):
        """Hands over the newest event of a type, signed by the moved clock."""
        events = (await self.stripe.call("GET", "events"))["data"]
        payload = json.dumps(next(event for event in events if event["type"] == event_type)).encode()
        signed = signature(payload, at_s=self.clock() // 1_000_000)
        request = ProcessStripeEventRequest(payload=payload, stripe_signature=signed)
        answer = await self.wire.bytes_call("ProcessStripeEvent", request.SerializeToString())
        return StripeEventOutcome.Name(answer.outcome).removeprefix("STRIPE_EVENT_OUTCOME_")

    async def opened(self, answer, purchase_id):
        """Checks that the answer is the purchase, with a page that Stripe holds open for hours."""
        made = answer.purchase
        assert (made.purchase_id, made.status) == (purchase_id, PURCHASE_STATUS_PENDING)
        session = await self.stripe.call("GET", f"checkout/sessions/{made.checkout_session_id}")
        assert (session["status"], session["url"]) == ("open", made.checkout_url)
        assert made.expire_time.seconds == session["expires_at"]
        assert abs(session["expires_at"] - self.clock() // 1_000_000 - LIFETIME_S) < HOUR_S
        assert (await self.wire.call("CreatePurchase", **PURCHASE)).purchase == made
        return made


@pytest_asyncio.fixture(loop_scope="session")
async def outage(database, monkeypatch):
    clock = LeapingClock().rule(monkeypatch)
    async with lasting_stripe(database.url) as stripe, stripe.service() as wire:
        yield Outage(stripe, clock, wire)


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize("hours", [22.5, 23.5, 24 * 40])
async def test_it_opens_at_the_first_repeat(*, outage, database, executed, hours):
    purchase_id = await outage.begin(executed=executed)
    await outage.pass_by(int(hours * HOUR_S))
    made = await outage.opened(await outage.wire.call("CreatePurchase", **PURCHASE), purchase_id)
    assert made.create_time.seconds < made.expire_time.seconds - LIFETIME_S
    assert (await row_counts(database))["purchases"] == 1
    assert len(await outage.stripe.sessions()) == 1 + executed


@pytest.mark.parametrize("executed", [False, True])
async def test_a_short_outage_changes_nothing(outage, executed):
    await outage.begin(executed=executed)
    await outage.pass_by(22 * HOUR_S)
    made = (await outage.wire.call("CreatePurchase", **PURCHASE)).purchase
    [session] = await outage.stripe.sessions()
    assert (made.checkout_session_id, made.expire_time.seconds) == (session["id"], session["expires_at"])
    assert session["expires_at"] - made.create_time.seconds == LIFETIME_S


async def test_it_opens_although_its_first_page_is_known_to_have_run_out(outage):
    purchase_id = await outage.begin(executed=True)
    await outage.pass_by(23 * HOUR_S + 60)
    assert await outage.deliver(EXPIRED) == "PROCESSED"
    assert (await outage.wire.call("GetPurchase", purchase_id=purchase_id)).purchase.status == PURCHASE_STATUS_EXPIRED
    await outage.opened(await outage.wire.call("CreatePurchase", **PURCHASE), purchase_id)


async def test_it_opens_although_its_first_page_runs_out_while_stripe_is_asked(outage):
    purchase_id = await outage.begin(executed=True)
    await outage.pass_by(23 * HOUR_S + 60)
    await outage.stripe.fault("hang", when="before", count=1, seconds=0.7)
    resuming = asyncio.create_task(outage.wire.call("CreatePurchase", **PURCHASE))
    for _ in range(500):  # until it was renewed, and Stripe is asked
        expires_s = (await outage.wire.call("GetPurchase", purchase_id=purchase_id)).purchase.expire_time.seconds
        if expires_s > outage.clock() // 1_000_000:
            break
    assert await outage.deliver(EXPIRED) == "PROCESSED"
    await outage.opened(await resuming, purchase_id)


async def test_a_page_that_runs_out_after_it_was_shown_stays_run_out(outage):
    made = await outage.wire.call("CreatePurchase", **PURCHASE)
    await outage.pass_by(23 * HOUR_S + 60)
    assert await outage.deliver(EXPIRED) == "PROCESSED"
    again = await outage.wire.call("CreatePurchase", **PURCHASE)
    assert (again.purchase, again.replayed) == (made.purchase, True)
    purchase_id = made.purchase.purchase_id
    assert (await outage.wire.call("GetPurchase", purchase_id=purchase_id)).purchase.status == PURCHASE_STATUS_EXPIRED
    assert len(await outage.stripe.sessions()) == 1


async def test_what_was_called_off_meanwhile_stays_called_off(outage):
    purchase_id = await outage.begin(executed=False)
    await outage.wire.do("CancelPurchase", purchase_id=purchase_id)
    await outage.pass_by(24 * HOUR_S)
    answer = await outage.wire.call("CreatePurchase", **PURCHASE)
    assert (answer.purchase.status, answer.purchase.checkout_url) == (PURCHASE_STATUS_CANCELED, "")
    assert await outage.stripe.sessions() == []
