"""Events about what is not ours: other products, connected accounts, types that are not handled. Kept, answered, and
without effect."""

import time

import pytest
from prepaid.billing.v1.admin_pb2 import STRIPE_EVENT_STATUS_IGNORED as IGNORED
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_AWAITING_FUNDS as AWAITING_FUNDS
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_PENDING as PENDING

from billing_service.domain.deployment import MARK_CHARACTERS, MARK_FIELD
from tests.end_to_end.event_changes import PAID, changed, kept
from tests.support.stack import STRIPE_KEY
from tests.support.webhooks_withheld import webhooks_withheld
from tests.support.wire import row_counts

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_is_not_ours_is_kept_and_moves_nothing(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id, granted=0)
        intent, session = sorted(await withheld.events(*PAID), key=lambda event: event["type"], reverse=True)
        foreign = changed(session, 1, "metadata", {}, type=PAID[1])
        foreign["data"]["object"]["id"] = "cs_test_of_another_product"
        foreign["data"]["object"]["client_reference_id"] = None
        for event in (
            foreign,
            changed(intent, 2, "metadata", {}),
            changed(session, 3, "mode", "subscription"),
            changed(session, 4, "status", "open"),
            changed(session, 5, type="invoice.paid"),
            changed(session, 6, type="never.heard.of"),
            changed(session, 7, account="acct_connected"),
        ):
            assert await withheld.wire.deliver(event) == "IGNORED", event["type"]
            assert (await kept(withheld.wire, event["id"]))[0].error
        unpaid = changed(session, 8, "payment_status", "unpaid")
        assert await withheld.wire.deliver(unpaid) == "PROCESSED"
        end = await withheld.ends(account_id, purchase)
        assert (end["available"], end["statement"], end["status"]) == (0, 0, AWAITING_FUNDS)


async def test_strangers_are_ignored_whatever_they_say_and_leave_only_the_event(database, new_account):
    """Another product on the same Stripe account that says all that we say, but for the mark; also in shapes that we
    can't read."""
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id, granted=0)
        await withheld.wire.do("CreateAccount", account_id=new_account("without-customer"))
        refund = await withheld.stripe(
            "POST", "refunds", payment_intent=await withheld.payment_intent(purchase), amount=400
        )
        listed = (await withheld.stripe("GET", "events", limit=100))["data"]
        strangers = []
        for number, event in enumerate(
            each for each in listed if each["type"] in (*PAID, "charge.refunded", "customer.created")
        ):
            about = event["data"]["object"]
            about |= {"id": f"{about['object'][:2]}_stranger{number}", "client_reference_id": purchase.purchase_id}
            about["metadata"] = {
                "purchase_id": purchase.purchase_id,
                "account_id": account_id,
                MARK_FIELD: "0" * MARK_CHARACTERS,
            }
            if "payment_intent" in about:
                about["payment_intent"] = "pi_of_a_stranger"
            strangers += [
                changed(event, number),
                changed(event, 100 + number, "amount", "much"),
                changed(event, 200 + number, "email", 7),
            ]
            strangers += [
                changed(event, 500 + number, "amount_received", "much"),
                changed(event, 600 + number, "amount_total", "much"),
            ]
            strangers += [changed(event, 300 + number, "metadata", {}), changed(event, 400 + number, "livemode", None)]
        assert len({event["type"] for event in strangers}) == 4
        before = await row_counts(database)
        for event in strangers:
            assert await withheld.wire.deliver(event) == "IGNORED", event["type"]
        assert await row_counts(database) == before | {"stripe_events": before["stripe_events"] + len(strangers)}
        assert refund["id"]
        end = await withheld.ends(account_id, purchase)
        assert (end["available"], end["refunded"], end["status"]) == (0, 0, PENDING)


async def test_a_refund_of_nobody_s_payment_waits_and_leaves_only_the_event(database):
    async with webhooks_withheld(database.url) as withheld:
        refund = {
            "id": "re_1",
            "object": "refund",
            "amount": 5,
            "currency": "eur",
            "status": "succeeded",
            "payment_intent": "pi_1",
        }
        envelope = {"object": "event", "type": "refund.created", "created": int(time.time()), "livemode": False}
        before = await row_counts(database)
        for number, about in enumerate((refund, refund | {"status": "lost"}, refund | {"amount": None})):
            assert (
                await withheld.wire.deliver({**envelope, "id": f"evt_{number}", "data": {"object": about}}) == "IGNORED"
            )
        assert await row_counts(database) == before | {"stripe_events": before["stripe_events"] + 3}
        assert not (await withheld.wire.call("ListStripeEvents", status=3)).events


SESSION = {
    "mode": "payment",
    "success_url": "https://other.example/ok",
    "line_items[0][price_data][currency]": "usd",
    "line_items[0][price_data][unit_amount]": "1500",
    "line_items[0][price_data][product_data][name]": "Another product",
    "line_items[0][quantity]": "2",
}


async def test_another_product_sells_on_the_same_account(stack, new_account):
    """Its ids are its own, but for one account's. Each event is answered 200, and its purchases, refunds and customers
    are ignored."""
    account_id = new_account()
    await stack.client.create_account(account_id=account_id)
    await stack.webhooks()
    known = {event.event_id for event in (await stack.client.list_stripe_events(page_size=1000)).events}
    before = (await stack.client.get_account(account_id=account_id)).account

    async def stripe(path, **form):
        headers = {"Authorization": f"Bearer {STRIPE_KEY}"}
        answer = await stack.http.post(f"{stack.sandbox_url}/v1/{path}", data=form, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    names = {"metadata[account_id]": account_id, "metadata[purchase_id]": "order-7"}
    customer = await stripe("customers", email="stranger@example.com", **names)
    await stripe(f"customers/{customer['id']}", name="A stranger")
    for client_reference_id in ("order-7", account_id):
        sold = {**SESSION, **names, "customer": customer["id"], "client_reference_id": client_reference_id}
        sold["payment_intent_data[metadata][account_id]"] = account_id
        session = await stripe("checkout/sessions", **sold)
        assert (await stack.pay(session["url"])).status_code == 303
        await stack.webhooks()
        paid = await stack.http.get(
            f"{stack.sandbox_url}/v1/checkout/sessions/{session['id']}",
            headers={"Authorization": f"Bearer {STRIPE_KEY}"},
        )
        await stripe("refunds", payment_intent=paid.json()["payment_intent"], amount="500")
    left = await stripe("checkout/sessions", **SESSION, **names)
    await stripe(f"checkout/sessions/{left['id']}/expire")
    drained = await stack.control("webhooks/drain", {"timeout_s": 20})
    fresh = [
        event for event in (await stack.client.list_stripe_events(page_size=1000)).events if event.event_id not in known
    ]
    families = {
        "checkout.session.completed",
        "checkout.session.expired",
        "charge.refunded",
        "refund.created",
        "customer.updated",
    }
    assert {event.event_type for event in fresh} >= families | {"payment_intent.succeeded", "customer.created"}
    assert {event.status for event in fresh} == {IGNORED}
    answers = {attempt["status"] for attempt in drained["attempts"] if attempt["event"] not in known}
    assert answers == {200}
    assert (await stack.client.get_account(account_id=account_id)).account == before
    assert await stack.available(account_id) == 0
