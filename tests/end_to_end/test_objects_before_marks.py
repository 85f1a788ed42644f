"""Objects that an older program made at Stripe carry no mark. Those that the ledger knows go on as if they did."""

import copy
import time
from dataclasses import replace
from itertools import permutations

import pytest
from billing_client.errors import BillingError
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_COMPLETED as COMPLETED

from billing_service.domain.deployment import MARK_FIELD, MarkKind
from billing_service.storage.rows.purchases import REFUNDS, read_purchase, refunds_of
from tests.support.webhooks_withheld import webhooks_withheld
from tests.support.wire import told

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAID = ("payment_intent.succeeded", "checkout.session.completed")
REFUND = ("refund.created", "charge.refunded")
LOST_ANSWER = {"kind": "drop", "when": "after", "count": 1, "method": "POST", "path_prefix": "/v1/refunds"}


@pytest.fixture(autouse=True)
def _hasty_sdk(monkeypatch):
    """The SDK's own pauses between its attempts, made short."""
    monkeypatch.setattr("stripe.HTTPClient.INITIAL_DELAY", 0.01)
    monkeypatch.setattr("stripe.HTTPClient.MAX_DELAY", 0.02)


def unmarked(event):
    """As an older program's object would be in it."""
    plain = copy.deepcopy(event)
    was_marked = plain["data"]["object"]["metadata"].pop(MARK_FIELD, None) is not None
    assert was_marked or event["type"].startswith("refund."), "the Dashboard's refunds alone have no mark"
    return plain


def upgrade(withheld):
    """From now on there are marks: what was made before is of an older program."""
    environment = withheld.stack.service.environment
    now = replace(environment.deployment, create_time_us=int(time.time() * 1_000_000))
    object.__setattr__(environment, "deployment", now)


async def test_a_purchase_that_was_open_at_the_upgrade_ends_as_any_other(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        for order in permutations(range(4)):
            account_id = new_account()
            purchase = await withheld.paid_checkout(account_id)
            await withheld.stripe("POST", "refunds", payment_intent=await withheld.payment_intent(purchase), amount=400)
            upgrade(withheld)
            events = await withheld.events(*PAID, *REFUND)
            assert len(events) == len(order)
            for place in order:
                assert await withheld.wire.deliver(unmarked(events[place])) in ("PROCESSED", "IGNORED")
            end = await withheld.ends(account_id, purchase)
            assert (end["status"], end["available"], end["refunded"]) == (COMPLETED, 700, 400), [
                events[place]["type"] for place in order
            ]
            assert (await withheld.wire.call("ListStripeEvents", status=3)).events == []


async def test_one_word_of_a_refund_is_enough(database, new_account):
    """Also where the endpoint is subscribed to charges alone, and the purchase does not know its payment yet."""
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id)
        await withheld.stripe("POST", "refunds", payment_intent=await withheld.payment_intent(purchase), amount=400)
        upgrade(withheld)
        for event in sorted(await withheld.events(*PAID, "charge.refunded"), key=lambda event: event["type"]):
            await withheld.wire.deliver(unmarked(event))
        end = await withheld.ends(account_id, purchase)
        assert (end["status"], end["available"], end["refunded"]) == (COMPLETED, 700, 400)


async def lost_refund(withheld, account_id):
    """A refund that Stripe made and whose answer was lost: (purchase, request, its event)."""
    purchase = await withheld.paid_checkout(account_id)
    for event in await withheld.events(*PAID):
        await withheld.wire.deliver(event)
    request = {"purchase_id": purchase.purchase_id, "amount_minor": 400, "idempotency_key": "refund"}
    await withheld.stack.control("faults", LOST_ANSWER)
    await withheld.stack.control("faults", LOST_ANSWER | {"when": "before", "count": 30})
    lost = await withheld.wire.attempt("Refund", **request)
    assert isinstance(lost, BillingError)
    assert told(lost) == ("UNAVAILABLE", "STRIPE_UNAVAILABLE")
    assert (await withheld.stack.http.delete(f"{withheld.stack.sandbox_url}/_sandbox/faults")).status_code == 200
    [event] = await withheld.events("refund.created")
    return purchase, request, event


async def begun_by_an_older_program(withheld, account_id, purchase):
    def work():
        found = yield from read_purchase(account_id, purchase.purchase_id)
        [refund] = yield from refunds_of(found)
        refund.is_marked = False
        yield from REFUNDS.replace(refund)

    await withheld.stack.service.environment.store.write(work)


async def test_a_refund_that_was_under_way_at_the_upgrade_is_one_refund(database, new_account):
    """Its event comes before its answer, names our id and carries no mark: nothing is taken twice."""
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase, request, event = await lost_refund(withheld, account_id)
        await begun_by_an_older_program(withheld, account_id, purchase)
        assert await withheld.wire.deliver(unmarked(event)) == "PROCESSED"
        done = await withheld.wire.call("Refund", **request)
        assert done.refund.stripe_refund_id == event["data"]["object"]["id"]
        end = await withheld.ends(account_id, purchase)
        assert (end["refunded"], end["available"], end["frozen"]) == (400, 700, 400)


async def test_a_stranger_s_refund_that_names_ours_is_another_one(database, new_account):
    """It is of our payment, so its credits go; but our refund keeps its own."""
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase, request, event = await lost_refund(withheld, account_id)
        refund_id = event["data"]["object"]["metadata"]["refund_id"]
        mark = withheld.stack.service.environment.deployment.mark(MarkKind.REFUND, refund_id)
        assert event["data"]["object"]["metadata"][MARK_FIELD] == mark
        for number, changes in enumerate(({}, {MARK_FIELD: mark[::-1]})):
            stranger = unmarked(event) | {"id": f"evt_stranger{number}"}
            stranger["data"]["object"] |= {"id": f"re_stranger{number}", "amount": 100}
            stranger["data"]["object"]["metadata"] |= changes
            assert await withheld.wire.deliver(stranger) == "PROCESSED"
        assert await withheld.wire.deliver(event) == "PROCESSED"
        done = await withheld.wire.call("Refund", **request)
        assert (done.refund.refund_id, done.refund.stripe_refund_id) == (refund_id, event["data"]["object"]["id"])
        end = await withheld.ends(account_id, purchase)
        assert (end["refunded"], end["available"]) == (400 + 100 + 100, 1_100 - 600)


async def test_the_customer_of_an_older_program_stays_the_account_s(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        await withheld.wire.do("CreateAccount", account_id=account_id, email="old@example.com")
        customer = (await withheld.wire.call("GetAccount", account_id=account_id)).account.stripe_customer_id
        await withheld.stripe("POST", f"customers/{customer}", email="new@example.com")
        [event] = await withheld.events("customer.updated")
        assert await withheld.wire.deliver(unmarked(event)) == "PROCESSED"
        assert (await withheld.wire.call("GetAccount", account_id=account_id)).account.email == "new@example.com"
