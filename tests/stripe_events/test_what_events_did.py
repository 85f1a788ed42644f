"""What the log is told of an event: whose it is, what it changed and booked, why it was kept; never what a person
wrote."""

import re

import pytest

from billing_service.domain.refusals import Reason, Refusal
from billing_service.stripe_events.families import refund
from tests.support.bought_page import PRICE_MINOR
from tests.support.event_world import CREDITS, NOW_S

CREDIT = 1_000_000
PAID = "checkout.session.completed"
EMAIL, NAME = "canary@example.com", "Canary Buyer"


def of(page, **more):
    return {
        "account_id": page.account_id,
        "purchase_id": page.purchase_id,
        "payment_intent_id": page.payment_intent_id,
        **more,
    }


def lines(world, event):
    return [line for line in world.said if line["event"] == event]


def without_ids(text):
    return re.sub(r"\(txn_\w+\)", "(txn)", text)


@pytest.fixture(autouse=True)
def _nobodys_words(world):
    yield
    assert "canary" not in repr(world.said).lower()


async def test_a_page_that_was_paid(world):
    page = await world.open_page()
    await world.deliver(world.event(PAID, page.session(customer_details={"email": EMAIL, "name": NAME})))
    booked = world.did.pop("booked")
    assert without_ids(booked) == f"PURCHASE {CREDITS * CREDIT} of {page.account_id} (txn)"
    assert world.did == of(
        page,
        stripe_object_id=page.session_id,
        checkout_session_id=page.session_id,
        purchase_status="COMPLETED",
        currency="usd",
        paid_minor=PRICE_MINOR,
        granted_microcredits=CREDITS * CREDIT,
        changed="purchase_status payment_intent_id paid_minor",
    )


async def test_an_event_that_came_again_did_nothing(world):
    page = await world.open_page()
    paid = world.event(PAID, page.session())
    assert [await world.deliver(paid), await world.deliver(paid)] == ["PROCESSED", "DUPLICATE"]
    assert world.did == {}
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    assert world.did["changed"] == "nothing"
    assert not world.did.keys() & {"booked", "granted_microcredits", "paid_minor"}


async def test_a_payment_that_succeeded_before_its_page(world):
    page = await world.open_page()
    await world.deliver(world.event("payment_intent.succeeded", page.payment()))
    moment_us = world.did.pop("payment_time_us")
    assert moment_us == NOW_S * 10**6
    assert world.did == {
        "account_id": page.account_id,
        "purchase_id": page.purchase_id,
        "stripe_object_id": page.payment_intent_id,
        "purchase_status": "PENDING",
        "currency": "usd",
        "checkout_session_id": page.session_id,
        "changed": "payment_time_us",
    }


async def test_a_refund_that_was_begun_at_stripe(world):
    page = await world.open_page()
    await world.deliver(world.event(PAID, page.session()))
    await world.deliver(world.event("refund.created", page.refund(1, reason="canary", metadata={"a": "canary"})))
    refund_id, booked = world.did.pop("refund_id"), world.did.pop("booked")
    assert refund_id.startswith("ref_")
    assert without_ids(booked) == f"PURCHASE_REVERSAL {-300 * CREDIT} of {page.account_id} (txn)"
    told = {"stripe_refund_id": f"re_{page.tag}n1", "refund_status": "SUCCEEDED", "refund_minor": 300}
    changed = {
        "refunded_minor": 300,
        "reversed_microcredits": 300 * CREDIT,
        "changed": "refunded_minor reversed_microcredits",
    }
    stands = {"purchase_status": "COMPLETED", "currency": "usd", "checkout_session_id": page.session_id}
    assert world.did == of(page, stripe_object_id=f"re_{page.tag}n1", **told, **changed, **stands)


async def test_a_charge_names_every_refund_that_stripe_listed(world):
    page = await world.open_page()
    await world.deliver(world.event(PAID, page.session()))
    page.list_at_stripe(
        page.refund(1, amount=100), page.refund(2, amount=50, status="failed"), page.refund(3, status="what")
    )
    assert await world.deliver(world.event("charge.refunded", page.charge())) == "QUARANTINED"
    told = re.sub(r"ref_\w+", "ref", world.did["refunds"]).split("; ")
    assert sorted(told) == ["re_" + f"{page.tag}n3 what 300", "ref failed 50", "ref succeeded 100"]
    assert world.did["note"] == "refund status 'what' is not known"
    assert world.did["refunded_minor"] == 100
    (alarm,) = lines(world, "stripe_event_quarantined")
    assert alarm.items() >= of(page, note=world.did["note"], event_type="charge.refunded", log_level="error").items()


@pytest.mark.parametrize("kind", ["amount", "dispute", "refusal"])
async def test_an_event_that_is_kept_for_a_person_says_why_and_of_what(world, monkeypatch, kind):
    page = await world.open_page()
    if kind == "amount":
        odd, note = (
            world.event(PAID, page.session(amount_subtotal=5, amount_total=5)),
            "amount_subtotal: expected 1000, got 5",
        )
    elif kind == "dispute":
        await world.deliver(world.event(PAID, page.session()))
        odd, note = world.event("charge.dispute.created", page.dispute(currency="eur")), "currency: expected usd"
    else:

        def refuse(*_args):
            raise Refusal(Reason.BALANCE_LIMIT_REACHED, "too much")

        monkeypatch.setattr("billing_service.commands.sales.completion.grant", lambda *_args, **_options: refuse())
        odd, note = world.event(PAID, page.session()), "BALANCE_LIMIT_REACHED: too much"
    assert await world.deliver(odd) == "QUARANTINED"
    assert note in world.did["note"]
    (alarm,) = lines(world, "stripe_event_quarantined")
    assert alarm == {
        "event": alarm["event"],
        "log_level": "error",
        "event_id": odd["id"],
        "event_type": odd["type"],
        **world.did,
    }
    if kind != "refusal":  # of which nothing is stored, not even whose it is
        assert (
            alarm.items()
            >= {"account_id": page.account_id, "purchase_id": page.purchase_id, "changed": "nothing"}.items()
        )


async def test_an_event_that_waited_says_what_became_of_it(world):
    page = await world.open_page()
    odd, good = (
        world.event("refund.created", page.refund(1, status="what")),
        world.event("refund.created", page.refund(2)),
    )
    assert [await world.deliver(odd), await world.deliver(good)] == ["IGNORED", "IGNORED"]
    assert world.did == {
        "payment_intent_id": page.payment_intent_id,
        "stripe_object_id": f"re_{page.tag}n2",
        "note": "no purchase knows this payment yet",
    }
    await world.deliver(world.event(PAID, page.session()))
    assert set(world.did["picked_up"].split()) == {odd["id"], good["id"]}
    (picked,), (alarm,) = lines(world, "stripe_event_picked_up"), lines(world, "stripe_event_quarantined")
    ours = {"account_id": page.account_id, "purchase_id": page.purchase_id}
    assert (
        picked.items()
        >= {**ours, "event_id": good["id"], "outcome": "PROCESSED", "refund_minor": 300, "log_level": "info"}.items()
    )
    assert alarm.items() >= {**ours, "event_id": odd["id"], "note": "refund status 'what' is not known"}.items()


async def test_a_waiting_event_that_broke_is_kept_with_its_cause(world, monkeypatch):
    page = await world.open_page()
    waiting = world.event("refund.created", page.refund(1))
    await world.deliver(waiting)

    def broken(*_args):
        raise ZeroDivisionError

    monkeypatch.setattr(refund, "book", broken)
    await world.deliver(world.event(PAID, page.session()))
    (alarm,) = lines(world, "stripe_event_quarantined")
    assert (
        alarm.items()
        >= {"event_id": waiting["id"], "note": "ZeroDivisionError", "purchase_id": page.purchase_id}.items()
    )


async def test_a_customer_says_which_fields_changed_and_not_to_what(world):
    account_id = await world.account()
    made = world.customer(account_id, "cus_1", email=EMAIL, name=NAME)
    await world.deliver(world.event("customer.created", made))
    told = {"account_id": account_id, "stripe_object_id": "cus_1"}
    assert world.did == {**told, "changed": "stripe_customer_id email name customer_update_time_us"}
    await world.deliver(world.event("customer.updated", made | {"email": ""}, created_s=NOW_S + 9))
    assert world.did == {**told, "changed": "email customer_update_time_us"}
    await world.deliver(world.event("customer.deleted", made, created_s=NOW_S + 10))
    assert world.did == {**told, "changed": "stripe_customer_id"}
    assert await world.deliver(world.event("customer.updated", made, created_s=NOW_S + 8)) == "IGNORED"
    assert world.did == {**told, "note": world.did["note"], "changed": "nothing"}


@pytest.mark.parametrize("event_type", ["product.created", "customer.updated", PAID])
async def test_of_what_is_not_ours_its_id_alone(world, event_type):
    about = {"id": "obj_1", "name": NAME, "email": EMAIL, "metadata": {"purchase_id": "canary", "account_id": "canary"}}
    assert await world.deliver(world.event(event_type, about)) == "IGNORED"
    assert world.did.pop("note")
    assert world.did == {"stripe_object_id": "obj_1"}
