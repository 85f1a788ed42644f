"""Events that must not move money: forged, foreign, wrong, thin, early; what becomes of them, and how they are tried
again."""

import json
import time

import pytest
from billing_client.errors import BillingError
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_COMPLETED as COMPLETED
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_PENDING as PENDING

from billing_service.domain.refusals import storage_unavailable
from tests.end_to_end.event_changes import PAID, changed, kept
from tests.support.stack import CREDIT
from tests.support.webhooks_withheld import webhooks_withheld
from tests.support.wire import key, request_of, row_counts, signature, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUARANTINED = [
    ("amount_subtotal", 1),
    ("amount_subtotal", 100_000),
    ("amount_total", 0),
    ("amount_total", 999),
    ("amount_total", 1001),
    ("amount_total", None),
    ("total_details.amount_discount", 500),
    ("currency", "eur"),
    ("currency", None),
    ("currency", "USD"),
    ("metadata.account_id", "somebody-else"),
    ("metadata.account_id", None),
    ("metadata.purchase_id", "pur_of_nobody"),
    ("client_reference_id", "pur_of_nobody"),
    ("client_reference_id", None),
    ("id", "cs_test_of_another"),
    ("livemode", True),
    ("payment_status", "no_payment_required"),
    ("payment_intent", 7),
    ("object", "checkout.sessions"),
]


async def test_a_session_that_is_not_the_one_sold_is_quarantined_and_seen(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id, granted=0)
        paid = next(event for event in await withheld.events(*PAID) if event["type"] == PAID[1])
        wire = withheld.wire
        for number, (path, value) in enumerate(QUARANTINED):
            event = changed(paid, number, path, value)
            assert await wire.deliver(event) == "QUARANTINED", (path, value)
            stored, status = await kept(wire, event["id"])
            assert (status, stored.attempt_count) == ("QUARANTINED", 1)
            assert stored.error
            assert json.loads(stored.payload) == event
            assert await wire.deliver(event) == "DUPLICATE"
        listed = await wire.call("ListStripeEvents", status=3, page_size=1000)
        assert len(listed.events) == len(QUARANTINED)
        assert not any(event.payload for event in listed.events)
        end = await withheld.ends(account_id, purchase)
        assert (end["available"], end["statement"], end["status"]) == (0, 0, PENDING)
        live = changed(paid, 99, livemode=True)
        live["data"]["object"]["livemode"] = True
        assert await wire.deliver(live) == "QUARANTINED"
        replayed = await wire.do("ReplayStripeEvent", event_id=event["id"])
        assert (replayed.outcome, replayed.event.attempt_count) == (4, 2)
        assert await wire.deliver(paid) == "PROCESSED"
        end = await withheld.ends(account_id, purchase)
        assert (end["status"], end["available"]) == (COMPLETED, 1000)
        assert (await wire.do("ReplayStripeEvent", event_id=paid["id"])).outcome == 2
        assert (await withheld.ends(account_id, purchase))["available"] == 1000
        stolen = changed(paid, 100, "payment_intent", "pi_of_another")
        assert await wire.deliver(stolen) == "QUARANTINED"


async def test_a_payment_of_one_purchase_pays_no_other(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        first = await withheld.paid_checkout(new_account(), granted=0)
        for event in await withheld.events(*PAID):
            await withheld.wire.deliver(event)
        account_id = new_account()
        second = await withheld.paid_checkout(account_id, granted=0)
        intent, session = sorted(await withheld.events(*PAID), key=lambda event: event["type"], reverse=True)
        used = await withheld.payment_intent(first)
        assert await withheld.wire.deliver(changed(session, 1, "payment_intent", used)) == "QUARANTINED"
        assert await withheld.wire.deliver(changed(intent, 2, "id", used)) == "QUARANTINED"
        assert await withheld.wire.deliver(session) == "PROCESSED"
        assert (await withheld.ends(account_id, second))["available"] == 1000


async def test_bytes_that_are_no_event_are_refused_and_not_kept(stack, wire, stored):
    await stack.webhooks()
    before = await row_counts(stored)
    event = {"id": "evt_1", "object": "event", "type": "a.b", "created": 1, "livemode": False, "data": {"object": {}}}
    bad = [b"{}", b"[]", b"null", b"\xff\xfe", b"{" * 5000, b'"evt"', b"NaN", b" "]
    bad += [
        json.dumps(event | change).encode()
        for change in ({"id": "evt_\u0000"}, {"id": 7}, {"id": "x" * 300}, {"type": None})
    ]
    bad += [
        json.dumps(event | change).encode()
        for change in ({"object": "v2.core.event"}, {"object": "charge"}, {"type": ""})
    ]
    for payload in bad:
        with pytest.raises(BillingError) as refused:
            await wire.deliver(payload)
        assert told(refused.value) == ("INVALID_ARGUMENT", "INVALID_FIELD"), payload
        assert [field for field, _ in refused.value.violations] == ["payload"]
    assert await row_counts(stored) == before


async def test_signatures_that_do_not_fit_are_refused_and_nothing_is_kept(stack, wire, stored):
    await stack.webhooks()
    before, payload, now = await row_counts(stored), b'{"object":"event"}', int(time.time())
    good = signature(payload)
    bad = [
        signature(payload, "whsec_" + "another"),
        signature(payload, at_s=now - 302),
        signature(payload, at_s=now + 302),
        signature(payload + b" "),
        good.replace("v1=", "v0="),
        good[:-1],
        good.partition(",")[0],
        good.replace("t=", "t=-"),
        "garbage",
        "\u2603",
        "t=1,t=2,v1=00",
    ]
    for header in bad:
        raw = request_of("ProcessStripeEvent", {"stripe_signature": header})
        raw.payload = payload
        with pytest.raises(BillingError) as refused:
            await wire.bytes_call("ProcessStripeEvent", raw.SerializeToString())
        assert told(refused.value) == ("INVALID_ARGUMENT", "SIGNATURE_INVALID"), header
    assert await row_counts(stored) == before


async def test_a_failing_handler_keeps_the_event_and_the_next_try_has_the_effect(database, new_account, monkeypatch):
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id, granted=0)
        session = next(event for event in await withheld.events(*PAID) if event["type"] == PAID[1])
        for error, status, reason in (
            (RuntimeError("secret text"), "INTERNAL", "INTERNAL"),
            (storage_unavailable(), "UNAVAILABLE", "STORAGE_UNAVAILABLE"),
        ):

            def broken(*_, error=error):
                raise error
                yield

            with monkeypatch.context() as patch:
                patch.setattr("billing_service.stripe_events.families.checkout_session.bind_reference", broken)
                with pytest.raises(BillingError) as failed:
                    await withheld.wire.deliver(session)
            assert told(failed.value) == (status, reason)
            assert "secret" not in str(failed.value)
        event, state = await kept(withheld.wire, session["id"])
        assert (state, event.attempt_count, event.error) == ("FAILED", 2, "STORAGE_UNAVAILABLE")
        done = await withheld.wire.do("ReplayStripeEvent", event_id=session["id"])
        assert (done.outcome, done.event.attempt_count, done.event.error) == (1, 3, "")
        assert (await withheld.ends(account_id, purchase))["available"] == 1000
        assert await withheld.wire.deliver(session) == "DUPLICATE"


async def test_refunds_of_another_shape_are_kept_for_a_person(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        purchase = await withheld.paid_checkout(account_id)
        paid = await withheld.events(*PAID)
        await withheld.stripe("POST", "refunds", payment_intent=await withheld.payment_intent(purchase), amount=400)
        [refund] = await withheld.events("refund.created")
        orphan = changed(refund, 1, "currency", "eur")
        assert await withheld.wire.deliver(orphan) == "IGNORED"
        for event in paid:
            assert await withheld.wire.deliver(event) == "PROCESSED"
        assert (await kept(withheld.wire, orphan["id"]))[1] == "QUARANTINED"
        for number, (path, value) in enumerate(
            [("currency", "eur"), ("status", "lost"), ("amount", -1), ("amount", "4"), ("id", None)], 2
        ):
            assert await withheld.wire.deliver(changed(refund, number, path, value)) == "QUARANTINED", (path, value)
        assert (await withheld.ends(account_id, purchase))["available"] == 1100
        free = changed(refund, 9, "payment_intent", None)
        assert await withheld.wire.deliver(free) == "IGNORED"
        assert await withheld.wire.deliver(refund) == "PROCESSED"
        assert (await withheld.ends(account_id, purchase))["available"] == 700


async def test_customers_are_kept_in_step(stack, wire, new_account):
    account_id = new_account()
    await wire.do("CreateAccount", account_id=account_id, email="old@example.com")
    await stack.webhooks()
    customer = (await wire.call("GetAccount", account_id=account_id)).account.stripe_customer_id
    headers = {"Authorization": "Bearer sk_" + "test_x1"}
    url = f"{stack.sandbox_url}/v1/customers/{customer}"
    await stack.http.post(url, data={"email": "new@example.com", "name": "New"}, headers=headers)
    await stack.webhooks()
    account = (await wire.call("GetAccount", account_id=account_id)).account
    assert (account.email, account.name) == ("new@example.com", "New")
    await stack.http.delete(url, headers=headers)
    await stack.webhooks()
    assert (await wire.call("GetAccount", account_id=account_id)).account.stripe_customer_id == ""
    assert (await stack.buy(account_id)).status == COMPLETED
    again = (await wire.call("GetAccount", account_id=account_id)).account.stripe_customer_id
    assert again.startswith("cus_")
    assert again != customer


async def test_a_customer_of_odd_words_is_no_defect(stack, wire, new_account):
    account_id = new_account()
    await wire.do("CreateAccount", account_id=account_id, name="Ada")
    await stack.webhooks()
    listed = (await wire.call("ListStripeEvents", page_size=50, include_payload=True)).events
    made = next(e for e in listed if e.event_type == "customer.created" and account_id.encode() in e.payload)
    for number, (path, value) in enumerate(
        [("email", "e" * 900), ("name", "n" * 1000), ("name", "\u0000"), ("email", 7)]
    ):
        event = changed(json.loads(made.payload), number, path, value, type="customer.updated")
        assert await wire.deliver(event) in ("PROCESSED", "QUARANTINED")
    account = (await wire.call("GetAccount", account_id=account_id)).account
    assert len(account.email) <= 320
    assert len(account.name) <= 256


async def test_the_inbox_is_read_page_by_page(stack, wire, new_account):
    await stack.buy(new_account())
    whole = [event.event_id for event in (await wire.call("ListStripeEvents", page_size=12)).events]
    first = await wire.call("ListStripeEvents", page_size=5)
    second = await wire.call("ListStripeEvents", page_size=7, page_token=first.next_page_token)
    assert [event.event_id for event in (*first.events, *second.events)] == whole
    assert await wire.refusal("ListStripeEvents", status=1, page_token=first.next_page_token) == (
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
    )


async def test_each_change_by_an_operator_is_audited(wire, new_account):
    account_id = new_account()
    await wire.do("GrantCredits", account_id=account_id, amount_microcredits=CREDIT, reason="welcome gift")
    await wire.do("FreezeAccount", account_id=account_id, frozen=True, reason="check")
    await wire.refusal(
        "AdjustCredits", account_id=account_id, amount_microcredits=-(10**15), reason="never", idempotency_key=key()
    )
    records = (await wire.call("ListAuditRecords", account_id=account_id)).records
    assert [(record.method, record.caller) for record in records] == [
        ("FreezeAccount", "local"),
        ("GrantCredits", "local"),
    ]
    assert "welcome gift" in records[1].detail


async def test_a_payment_beyond_the_largest_balance_waits_for_an_operator(database, new_account):
    async with webhooks_withheld(database.url) as withheld:
        account_id = new_account()
        for _ in range(9):
            await withheld.wire.do("GrantCredits", account_id=account_id, amount_microcredits=10**15, reason="a lot")
        assert await withheld.wire.refusal(
            "GrantCredits", account_id=account_id, amount_microcredits=1, reason="more", idempotency_key=key()
        ) == ("FAILED_PRECONDITION", "BALANCE_LIMIT_REACHED")
        await withheld.paid_checkout(account_id, granted=0)
        session = next(event for event in await withheld.events(*PAID) if event["type"] == PAID[1])
        assert await withheld.wire.deliver(session) == "QUARANTINED"
        assert "BALANCE_LIMIT_REACHED" in (await kept(withheld.wire, session["id"]))[0].error
        await withheld.wire.do("DeductCredits", account_id=account_id, amount_microcredits=10**15)
        assert (await withheld.wire.do("ReplayStripeEvent", event_id=session["id"])).outcome == 1
        shown = (await withheld.wire.call("GetBalance", account_id=account_id)).balance
        assert shown.available_microcredits == 8 * 10**15 + 1000 * CREDIT
