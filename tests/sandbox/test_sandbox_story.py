"""The whole story through the real SDK, and the facts about Stripe's objects and events that the service relies on."""

from typing import Any

import pytest
import stripe

from tests.sandbox.sandbox_running import Running
from tests.support.stripe_members import NESTED, members_of

EVENTS_OF_THE_STORY = [
    "customer.created",
    "product.created",
    "price.created",
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
    "refund.created",
    "charge.refunded",
]


ORDER = {
    "mode": "payment",
    "client_reference_id": "order-1",
    "metadata": {"order": "1", "only": "session"},
    "payment_intent_data": {"metadata": {"order": "1"}},
    "success_url": "https://shop.example/ok?sid={CHECKOUT_SESSION_ID}",
    "allowed_payment_method_types": ["card"],
}


async def test_catalogue_to_refund(sandbox: Running) -> None:
    v1 = sandbox.stripe.v1
    customer = await v1.customers.create_async(
        {"email": "buyer@example.com", "name": "Jenny", "metadata": {"account": "a1"}}
    )
    product = await v1.products.create_async({"name": "Starter Pack", "metadata": {"code": "starter"}})
    price = await v1.prices.create_async(
        {"product": product.id, "currency": "usd", "unit_amount": 1000, "lookup_key": "starter_usd"}
    )
    found = await v1.prices.list_async({"lookup_keys": ["starter_usd"], "active": True})
    assert [row.id for row in found.data] == [price.id]
    session = await v1.checkout.sessions.create_async(
        ORDER | {"customer": customer.id, "line_items": [{"price": price.id, "quantity": 2}]}
    )
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert (session.payment_intent, session.amount_total) == (None, 2000)
    status, location, _ = await sandbox.pay(session.id)
    assert (status, location) == (303, f"https://shop.example/ok?sid={session.id}")

    paid = await v1.checkout.sessions.retrieve_async(
        session.id, {"expand": ["payment_intent.latest_charge", "line_items"]}
    )
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    intent: Any = paid.payment_intent
    assert intent.metadata.to_dict() == {"order": "1"} == intent.latest_charge.metadata.to_dict()
    assert paid.line_items is not None
    assert paid.line_items.data[0].quantity == 2
    by_intent = await v1.checkout.sessions.list_async({"payment_intent": intent.id})
    assert [row.id for row in by_intent.data] == [session.id]

    refund = await v1.refunds.create_async({"payment_intent": intent.id, "amount": 500, "metadata": {"refund": "r1"}})
    assert (refund.status, refund.charge, refund.payment_intent) == ("succeeded", intent.latest_charge.id, intent.id)
    charge = await v1.charges.retrieve_async(intent.latest_charge.id)
    assert (charge.amount_refunded, charge.refunded, "refunds" in charge) == (500, False, False)
    assert charge.metadata.to_dict() == {"order": "1"}
    with_refunds: Any = await v1.charges.retrieve_async(charge.id, {"expand": ["refunds"]})
    assert [row.id for row in with_refunds.refunds.data] == [refund.id]

    await sandbox.drained()
    assert sandbox.received.types == EVENTS_OF_THE_STORY


@pytest.mark.parametrize(
    "kind",
    [
        "checkout.session",
        "customer",
        "payment_intent",
        "charge",
        "refund",
        "product",
        "price",
        "balance_transaction",
        "event",
    ],
)
async def test_objects_have_the_members_of_stripe_s(sandbox: Running, kind: str) -> None:
    v1 = sandbox.stripe.v1
    customer = await v1.customers.create_async({})
    session = await sandbox.session(customer=customer.id)
    ours: dict[str, Any] = {"checkout.session": session, "customer": customer}
    await sandbox.pay(session.id)
    paid: Any = await v1.checkout.sessions.retrieve_async(
        session.id, {"expand": ["payment_intent.latest_charge", "line_items"]}
    )
    ours["payment_intent"] = paid.payment_intent
    ours["charge"] = paid.payment_intent.latest_charge
    ours["price"] = paid.line_items.data[0].price
    ours["product"] = await v1.products.retrieve_async(ours["price"].product)
    ours["refund"] = await v1.refunds.create_async({"payment_intent": ours["payment_intent"].id})
    ours["balance_transaction"] = await v1.balance_transactions.retrieve_async(ours["refund"].balance_transaction)
    ours["event"] = (await sandbox.events())[0]
    shown = ours[kind].to_dict()
    inner = {f"{name}.{member}" for name in NESTED.get(kind, {}) for member in shown[name] or ()}
    assert members_of(kind) - shown.keys() - inner == set()
    extra = shown.keys() - members_of(kind)
    assert extra <= {"allowed_payment_method_types", "customer", "excluded_payment_method_types"}


async def test_events_name_their_cause_and_what_changed(sandbox: Running) -> None:
    customer = await sandbox.stripe.v1.customers.create_async({"name": "A"}, {"idempotency_key": "k1"})
    await sandbox.stripe.v1.customers.update_async(customer.id, {"name": "B"})
    await sandbox.stripe.v1.customers.update_async(customer.id, {"name": "B"})  # changes nothing, says nothing
    await sandbox.stripe.v1.customers.delete_async(customer.id)
    created, updated, deleted = await sandbox.events("customer.created", "customer.updated", "customer.deleted")
    assert created.request is not None
    assert created.request.idempotency_key == "k1"
    assert created.data.object["name"] == "A"
    assert updated.data.to_dict()["previous_attributes"] == {"name": "A"}
    assert deleted.type == "customer.deleted"
    assert (await sandbox.stripe.v1.customers.retrieve_async(customer.id)).deleted is True
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        await sandbox.stripe.v1.customers.update_async(customer.id, {"name": "C"})


async def test_metadata_merges_and_an_empty_value_removes(sandbox: Running) -> None:
    customers = sandbox.stripe.v1.customers
    customer = await customers.create_async({"metadata": {"a": "1", "b": "2"}})
    updated = await customers.update_async(customer.id, {"metadata": {"b": "", "c": "3"}})
    assert updated.metadata.to_dict() == {"a": "1", "c": "3"}
    assert (await customers.update_async(customer.id, {"metadata": ""})).metadata.to_dict() == {}


async def test_lookup_key_moves_only_when_told(sandbox: Running) -> None:
    prices = sandbox.stripe.v1.prices
    data = {"currency": "usd", "unit_amount": 1000, "product_data": {"name": "Pack"}, "lookup_key": "pack"}
    first = await prices.create_async(data)
    with pytest.raises(stripe.InvalidRequestError, match="already uses that lookup key"):
        await prices.create_async(data)
    second = await prices.create_async(data | {"transfer_lookup_key": True})
    assert second.lookup_key == "pack"
    assert (await prices.retrieve_async(first.id)).lookup_key is None


async def test_lists_page_both_ways_and_filter(sandbox: Running) -> None:
    v1 = sandbox.stripe.v1
    made = [(await v1.customers.create_async({"email": f"c{number}@example.com"})).id for number in range(5)]
    page = await v1.customers.list_async({"limit": 2})
    assert ([row.id for row in page.data], page.has_more) == ([made[4], made[3]], True)
    assert [row.id async for row in page.auto_paging_iter()] == list(reversed(made))
    events = await sandbox.events("customer.created")
    newer = await v1.events.list_async({"ending_before": events[0].id, "limit": 2, "types": ["customer.created"]})
    assert [event.id async for event in newer.auto_paging_iter()] == [event.id for event in events[1:]]
    assert [row.id for row in (await v1.customers.list_async({"email": "c2@example.com"})).data] == [made[2]]
    assert (await v1.events.list_async({"type": "customer.*", "created": {"gte": events[0].created}})).data
    assert (await v1.events.list_async({"created": {"gt": events[-1].created + 5}})).data == []
    with pytest.raises(stripe.InvalidRequestError, match="between 1 and 100"):
        await v1.customers.list_async({"limit": 101})


async def test_direct_payment_intent_declined_then_paid_then_canceled_refused(sandbox: Running) -> None:
    intents = sandbox.stripe.v1.payment_intents
    intent = await intents.create_async(
        {"amount": 2000, "currency": "usd", "allowed_payment_method_types": ["card"], "metadata": {"o": "1"}}
    )
    assert intent.status == "requires_payment_method"
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        await intents.confirm_async(intent.id)
    with pytest.raises(stripe.CardError) as declined:
        await intents.confirm_async(intent.id, {"payment_method": "pm_card_chargeDeclinedInsufficientFunds"})
    assert (declined.value.code, declined.value.error.decline_code) == ("card_declined", "insufficient_funds")
    paid: Any = await intents.confirm_async(
        intent.id, {"payment_method": "pm_card_visa", "expand": ["latest_charge.balance_transaction"]}
    )
    assert (paid.status, paid.amount_received, paid.latest_charge.metadata.to_dict()) == ("succeeded", 2000, {"o": "1"})
    assert paid.latest_charge.balance_transaction.net == 2000 - 88
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await intents.cancel_async(intent.id)
    assert refused.value.code == "payment_intent_unexpected_state"
    assert [
        charge.status for charge in (await sandbox.stripe.v1.charges.list_async({"payment_intent": intent.id})).data
    ] == [
        "succeeded",
        "failed",
    ]


async def test_saved_card_is_charged_off_session_unless_it_must_authenticate(sandbox: Running) -> None:
    v1 = sandbox.stripe.v1
    customer = await v1.customers.create_async({})
    session = await sandbox.session(customer=customer.id, payment_intent_data={"setup_future_usage": "off_session"})
    await sandbox.pay(session.id)
    (saved,) = (await v1.customers.payment_methods.list_async(customer.id)).data
    params: Any = {"amount": 500, "currency": "usd", "customer": customer.id, "confirm": True, "off_session": True}
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        await v1.payment_intents.create_async(params | {"payment_method": saved.id})
    params |= {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    assert (await v1.payment_intents.create_async(params | {"payment_method": saved.id})).status == "succeeded"
    with pytest.raises(stripe.CardError) as refused:
        await v1.payment_intents.create_async(params | {"payment_method": "pm_card_authenticationRequired"})
    assert refused.value.code == "authentication_required"


async def test_manual_capture(sandbox: Running) -> None:
    intents = sandbox.stripe.v1.payment_intents
    params: Any = {
        "amount": 500,
        "currency": "usd",
        "allowed_payment_method_types": ["card"],
        "capture_method": "manual",
        "confirm": True,
    }
    held = await intents.create_async(params | {"payment_method": "pm_card_mastercard"})
    assert (held.status, held.amount_capturable) == ("requires_capture", 500)
    assert (await intents.capture_async(held.id)).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError, match="could not be captured"):
        await intents.capture_async(held.id)


async def test_free_order_needs_no_payment(sandbox: Running) -> None:
    session = await sandbox.session(amount=0)
    assert (await sandbox.pay(session.id, number=""))[0] == 303
    done = await sandbox.stripe.v1.checkout.sessions.retrieve_async(session.id)
    assert (done.payment_status, done.payment_intent) == ("no_payment_required", None)


async def test_guest_becomes_a_customer_only_when_the_session_says_so(sandbox: Running) -> None:
    guest = await sandbox.paid_session()
    assert guest.customer is None
    assert guest.customer_details is not None
    assert guest.customer_details.email == "buyer@example.com"
    made = await sandbox.paid_session(customer_creation="always")
    customer = await sandbox.stripe.v1.customers.retrieve_async(str(made.customer))
    assert customer.email == "buyer@example.com"
