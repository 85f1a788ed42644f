"""Stripe dead, slow or erring, before or after it did what it was asked: a typed answer, nothing half done, one effect
in the end."""

import asyncio

import pytest
import pytest_asyncio
from billing_client.errors import BillingError

from tests.end_to_end.lasting_stripe import hasty
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import Wire, row_counts, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

DOWN = ("UNAVAILABLE", "STRIPE_UNAVAILABLE")
FAULTS = [
    {"kind": kind, "when": when, "count": count} | ({"seconds": 0.9} if kind == "hang" else {})
    for kind in ("error", "drop", "rate_limit", "hang")
    for when in ("before", "after")
    for count in (1, 30)
    if (kind, when) != ("rate_limit", "after")  # Stripe never executes what it turns away
]
LOST_ANSWER = [{"kind": "drop", "when": "after", "count": 1}, {"kind": "drop", "when": "before", "count": 30}]
"""The call is executed, and neither it nor its repetitions are answered."""


@pytest.fixture(autouse=True)
def _hasty_sdk(monkeypatch):
    hasty(monkeypatch)


@pytest_asyncio.fixture(loop_scope="session")
async def frail(database):
    async with running_stack(database.url, STRIPE_TIMEOUT_S="0.4") as stack, Wire(stack.service.address) as wire:
        yield stack, wire


async def broken(stack, fault, path):
    await stack.control("faults", fault | {"method": "POST", "path_prefix": path})


async def mended(stack):
    answer = await stack.http.delete(f"{stack.sandbox_url}/_sandbox/faults")
    assert answer.status_code == 200


async def state(stack):
    return (await stack.http.get(f"{stack.sandbox_url}/_sandbox/state")).json()


async def resumed(wire, rpc, fields):
    """Calls again with the same key until Stripe lets go of the first call; the answer, and its replay."""
    for _ in range(8):
        answer = await wire.attempt(rpc, **fields)
        if not isinstance(answer, BillingError):
            assert (await wire.call(rpc, **fields)).replayed
            return answer
        assert told(answer) == DOWN, answer
        await asyncio.sleep(0.2)  # as Stripe asks of whoever meets a call of its own that is still under way
    raise AssertionError("never resumed")


async def test_refunds_are_made_once_whatever_stripe_does(frail, new_account):
    stack, wire = frail
    account_id = new_account()
    bought = await stack.buy(account_id, "pro")
    for number, fault in enumerate(FAULTS, 1):
        fields = {"purchase_id": bought.purchase_id, "amount_minor": 100, "idempotency_key": f"k{number}"}
        await broken(stack, fault, "/v1/refunds")
        first = await wire.attempt("Refund", **fields)
        if isinstance(first, BillingError):
            assert told(first) == DOWN, (fault, first)
            assert first.retry_after_s
        shown = (await wire.call("GetBalance", account_id=account_id)).balance
        gone = 125 * number
        assert shown.available_microcredits == (10_000 - gone) * CREDIT, fault
        await mended(stack)
        done = await resumed(wire, "Refund", fields) if isinstance(first, BillingError) else first
        await stack.webhooks()
        assert done.refund.amount_minor == 100, fault
        assert (await state(stack))["objects"]["refund"] == number, fault
        shown = (await wire.call("GetBalance", account_id=account_id)).balance
        assert (shown.available_microcredits, shown.frozen_microcredits) == ((10_000 - gone) * CREDIT, 0), fault
    sold = (await wire.call("GetPurchase", purchase_id=bought.purchase_id)).purchase
    assert sold.refunded_minor == 100 * len(FAULTS)


async def test_a_refund_resumed_after_stripe_forgot_the_key_is_not_made_again(frail, new_account):
    """Stripe keeps idempotency keys for a day."""
    stack, wire = frail
    account_id = new_account()
    bought = await stack.buy(account_id)
    await stack.control("switches", {"delay_s": 3600})
    for fault in LOST_ANSWER:
        await broken(stack, fault, "/v1/refunds")
    fields = {"purchase_id": bought.purchase_id, "amount_minor": 400, "idempotency_key": "k"}
    assert await wire.refusal("Refund", **fields) == DOWN
    await mended(stack)
    await stack.control("advance", {"seconds": 25 * 3600})
    done = await wire.call("Refund", **fields)
    assert done.refund.amount_minor == 400
    assert (await state(stack))["objects"]["refund"] == 1
    assert await stack.available(account_id) == 600


async def test_another_key_is_refused_by_the_refund_that_waits_for_stripe(frail, new_account):
    stack, wire = frail
    account_id = new_account()
    bought = await stack.buy(account_id)
    begun = {"purchase_id": bought.purchase_id, "idempotency_key": "k"}
    await broken(stack, {"kind": "error", "when": "before", "count": 30}, "/v1/refunds")
    assert await wire.refusal("Refund", **begun) == DOWN
    await mended(stack)
    (waiting,) = (await wire.call("ListRefunds", account_id=account_id)).refunds
    for rpc, fields in (("QuoteRefund", {}), ("Refund", {"idempotency_key": "another"})):
        refused = await wire.error(rpc, purchase_id=bought.purchase_id, **fields)
        assert told(refused) == ("FAILED_PRECONDITION", "PURCHASE_NOT_REFUNDABLE"), rpc
        assert refused.metadata["refund_id"] == waiting.refund_id
        assert waiting.refund_id in refused.message
        assert "its own key" in refused.message
    assert (await resumed(wire, "Refund", begun)).refund.refund_id == waiting.refund_id
    refused = await wire.error("QuoteRefund", purchase_id=bought.purchase_id)
    assert refused.metadata.keys() == {"purchase_id", "status"}


async def test_a_purchase_is_resumed_whatever_stripe_does(frail, new_account, database):
    stack, wire = frail
    for number, fault in enumerate(FAULTS, 1):
        account_id = new_account()
        fields = {"account_id": account_id, "package_code": "starter", "idempotency_key": "k"}
        await broken(stack, fault, "/v1/checkout/sessions")
        first = await wire.attempt("CreatePurchase", **fields)
        await mended(stack)
        done = await resumed(wire, "CreatePurchase", fields) if isinstance(first, BillingError) else first
        assert (await row_counts(database))["purchases"] == number, fault
        assert (await stack.pay(done.purchase.checkout_url)).status_code == 303
        await stack.webhooks()
        assert await stack.available(account_id) == 1000, fault
        listed = (await wire.call("ListPurchases", account_id=account_id)).purchases
        assert [purchase.purchase_id for purchase in listed] == [done.purchase.purchase_id]


async def test_a_dead_stripe_delays_only_the_customer(frail, new_account):
    stack, wire = frail
    for fault in FAULTS:
        account_id = new_account()
        await broken(stack, {**fault, "count": 30}, "/v1/customers")
        made = await wire.do("CreateAccount", account_id=account_id, email="a@example.com")
        assert made.account.account_id == account_id
        fields = {"account_id": account_id, "package_code": "starter", "idempotency_key": "k"}
        if fault["when"] == "before":
            assert await wire.refusal("CreatePurchase", **fields) == DOWN
        await mended(stack)
        done = await resumed(wire, "CreatePurchase", fields)
        assert done.purchase.checkout_url
        assert (await wire.call("GetAccount", account_id=account_id)).account.stripe_customer_id.startswith("cus_"), (
            fault
        )


async def test_cancelling_is_resumed(frail, new_account):
    stack, wire = frail
    for fault in FAULTS:
        account_id = new_account()
        made = (await wire.do("CreatePurchase", account_id=account_id, package_code="starter")).purchase
        await stack.control("switches", {"delay_s": 3600})
        await broken(stack, fault, f"/v1/checkout/sessions/{made.checkout_session_id}/expire")
        fields = {"purchase_id": made.purchase_id, "idempotency_key": "k"}
        first = await wire.attempt("CancelPurchase", **fields)
        await mended(stack)
        done = await resumed(wire, "CancelPurchase", fields) if isinstance(first, BillingError) else first
        assert done.purchase.status == 6, fault
        assert (await stack.pay(made.checkout_url)).status_code == 410, fault


async def test_a_purchase_called_off_before_stripe_answered_stays_called_off(frail, new_account):
    stack, wire = frail
    account_id = new_account()
    fields = {"account_id": account_id, "package_code": "starter", "idempotency_key": "k"}
    await broken(stack, {"kind": "drop", "when": "before", "count": 30}, "/v1/checkout/sessions")
    assert await wire.refusal("CreatePurchase", **fields) == DOWN
    await mended(stack)
    [begun] = (await wire.call("ListPurchases", account_id=account_id)).purchases
    assert (await wire.do("CancelPurchase", purchase_id=begun.purchase_id)).purchase.status == 6
    resumed_call = await wire.call("CreatePurchase", **fields)
    assert (resumed_call.purchase.status, resumed_call.purchase.checkout_url) == (6, "")
    assert (await state(stack))["sessions"] == []


async def test_a_purchase_called_off_while_stripe_is_asked_gets_no_page(frail, new_account):
    stack, wire = frail
    account_id = new_account()
    await broken(stack, {"kind": "hang", "when": "before", "count": 1, "seconds": 0.3}, "/v1/checkout/sessions")
    making = asyncio.create_task(wire.do("CreatePurchase", account_id=account_id, package_code="starter"))
    begun = []
    while not begun:
        listed = await wire.attempt("ListPurchases", account_id=account_id)
        begun = [] if isinstance(listed, BillingError) else listed.purchases
    await wire.do("CancelPurchase", purchase_id=begun[0].purchase_id)
    made = await making
    assert (made.purchase.status, made.purchase.checkout_url) == (6, "")
    assert made.purchase.checkout_session_id.startswith("cs_")


async def test_events_that_need_stripe_wait_for_it(frail, new_account):
    """charge.refunded makes the service ask for refunds: a dead Stripe is a 503 to the gateway, and Stripe delivers
    again."""
    stack, wire = frail
    account_id = new_account()
    bought = await stack.buy(account_id)
    answer = await stack.http.post(
        f"{stack.sandbox_url}/_sandbox/faults",
        json={"kind": "drop", "count": 4, "method": "GET", "path_prefix": "/v1/refunds"},
    )
    assert answer.status_code == 200
    await stack.control("switches", {"reorder": True})
    await stack.http.post(
        f"{stack.sandbox_url}/v1/refunds",
        data={"payment_intent": bought.payment_intent_id, "amount": 100},
        headers={"Authorization": "Bearer sk_" + "test_x1"},
    )
    await stack.webhooks()
    assert await stack.available(account_id) == 900
    events = {event.event_type: event for event in (await wire.call("ListStripeEvents", page_size=5)).events}
    assert events["charge.refunded"].attempt_count > 1
    assert (events["charge.refunded"].status, events["charge.refunded"].error) == (1, "")


KEY_REFUSED = ("UNAVAILABLE", "STRIPE_KEY_REFUSED")


@pytest.mark.parametrize("kind", ["unauthenticated", "forbidden"])
async def test_a_key_that_stripe_refuses_is_said_and_all_goes_on_once_it_is_mended(frail, new_account, database, kind):
    """Which is no outage: nobody but the service's operator can end it. What was begun is resumed all the same."""
    stack, wire = frail
    account_id = new_account()
    bought = await stack.buy(account_id)
    await stack.control("faults", {"kind": kind, "count": 1000})
    requests = {
        "CreatePurchase": {"account_id": account_id, "package_code": "starter", "idempotency_key": "p"},
        "Refund": {"purchase_id": bought.purchase_id, "amount_minor": 400, "idempotency_key": "r"},
    }
    for _ in range(2):
        for rpc, fields in requests.items():
            refused = await wire.error(rpc, **fields)
            assert told(refused) == KEY_REFUSED
            assert "STRIPE_SECRET_KEY" in refused.message
            assert refused.retry_after_s == 60
    assert (await wire.call("GetBalance", account_id=account_id)).balance.frozen_microcredits == 400 * CREDIT
    assert (await row_counts(database))["purchases"] == 2
    await mended(stack)
    made = {rpc: await wire.call(rpc, **fields) for rpc, fields in requests.items()}
    await stack.webhooks()
    assert made["CreatePurchase"].purchase.checkout_url
    assert await stack.available(account_id) == 600
    assert (await state(stack))["objects"]["refund"] == 1
    assert (await row_counts(database))["purchases"] == 2
