"""The log of a whole story over real sockets: each write names what it did, each webhook what it changed, under one id
all the way."""

import hashlib
import hmac
import json
import logging
import time

import pytest
import pytest_asyncio
import structlog
from billing_client import Deduction, errors

from tests.support.ledger_check import ledger_problems
from tests.support.stack import CREDIT, WEBHOOK_SECRET, running_stack


@pytest.fixture
def logged():
    """Every line at INFO and above, with the id of its call."""
    lines, before = [], structlog.get_config()

    def keep(_logger, level, line):
        lines.append(line | {"level": level})
        raise structlog.DropEvent

    wrapper = structlog.make_filtering_bound_logger(logging.INFO)
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, keep], wrapper_class=wrapper)
    yield lines
    structlog.configure(**before)


@pytest_asyncio.fixture
async def stack(logged, database):
    async with running_stack(database.url) as running:
        logged.clear()
        yield running
    assert not ledger_problems(database)


async def dispute(stack, bought):
    """The sandbox's customers never dispute: the event is made and signed here."""
    about = {"id": "dp_1", "object": "dispute", "payment_intent": bought.payment_intent_id, "livemode": False}
    made = {
        "id": "evt_dispute",
        "object": "event",
        "type": "charge.dispute.created",
        "livemode": False,
        "created": int(time.time()),
    }
    body = json.dumps(made | {"api_version": "2025-01-01", "data": {"object": about}}).encode()
    signature = hmac.new(WEBHOOK_SECRET.encode(), b"%d." % made["created"] + body, hashlib.sha256).hexdigest()
    headers = {"stripe-signature": f"t={made['created']},v1={signature}"}
    (await stack.http.post(f"{stack.gateway_url}/webhooks/stripe", content=body, headers=headers)).raise_for_status()


def rpcs(logged, method, **wanted):
    return [
        line
        for line in logged
        if line["event"] == "rpc" and line["method"] == method and line.items() >= wanted.items()
    ]


def the_rpc(logged, method, **wanted):
    (line,) = rpcs(logged, method, **wanted)
    assert line["level"] == "info"
    return line


ADA = {"account_id": "ada"}


async def test_every_write_but_deductions_says_what_it_did(stack, logged):
    client = stack.client
    referrer = (await client.create_account(account_id="referrer")).account
    await client.create_account(account_id="ada")
    await client.apply_referral(account_id="ada", referral_code=referrer.referral_code)
    await client.update_account(account_id="ada", name="Ada")
    granted = await client.grant_credits(account_id="ada", amount_microcredits=9 * CREDIT, reason="gift")
    spent = await client.deduct_credits(account_id="ada", amount_microcredits=2 * CREDIT)
    undone = await client.reverse_deduction(account_id="ada", transaction_id=spent.transaction_id)
    await client.adjust_credits(account_id="ada", amount_microcredits=-CREDIT, reason="late")
    for frozen in (True, False):
        await client.freeze_account(account_id="ada", frozen=frozen, reason="look")
    await client.set_overdraft_limit(account_id="ada", overdraft_limit_microcredits=CREDIT, reason="trust")
    made = (await client.create_purchase(account_id="ada", package_code="starter")).purchase
    await client.cancel_purchase(purchase_id=made.purchase_id)
    bought = await stack.buy("ada")
    refund = (await client.refund(purchase_id=bought.purchase_id, amount_minor=100)).refund
    key = (await client.create_api_key(caller="metering", scopes=[1])).api_key
    await client.revoke_api_key(key_id=key.key_id)
    sold = ADA | {
        "purchase_id": made.purchase_id,
        "package_code": "starter",
        "amount_minor": made.amount_minor,
        "currency": "usd",
    }
    reversed_ = {"reversed_transaction_id": spent.transaction_id, "transaction_id": undone.transaction_id}
    refunded = {"refund_id": refund.refund_id, "purchase_id": bought.purchase_id, "status": "SUCCEEDED"}
    expected = {
        "ApplyReferral": {"referee_account_id": "ada", "referrer_account_id": "referrer", "state": "PENDING"},
        "UpdateAccount": {**ADA, "frozen": False},
        "GrantCredits": {**ADA, "amount_microcredits": 9 * CREDIT, "category": "PROMOTIONAL", "lot_id": granted.lot_id},
        "ReverseDeduction": ADA | reversed_,
        "AdjustCredits": {**ADA, "amount_microcredits": -CREDIT, "balance_available_microcredits": 8 * CREDIT},
        "SetOverdraftLimit": {**ADA, "overdraft_limit_microcredits": CREDIT},
        "CancelPurchase": {**sold, "status": "CANCELED"},
        "Refund": {**ADA, **refunded, "amount_minor": 100},
        "CreateApiKey": {"key_id": key.key_id, "key_caller": "metering", "scopes": "READ"},
        "RevokeApiKey": {"key_id": key.key_id},
    }
    for method, did in expected.items():
        assert the_rpc(logged, method).items() >= {"code": "OK", "caller": "local", **did}.items()
    assert [line["frozen"] for line in rpcs(logged, "FreezeAccount", **ADA)] == [True, False]
    assert (
        the_rpc(logged, "CreatePurchase", purchase_id=made.purchase_id).items() >= {**sold, "status": "PENDING"}.items()
    )
    assert len(rpcs(logged, "CreateAccount")) == 2
    assert not rpcs(logged, "DeductCredits")


async def test_a_webhook_says_what_it_changed_under_one_id_in_gateway_and_service(stack, logged):
    bought = await stack.buy("ada")
    paid = the_rpc(logged, "ProcessStripeEvent", event_type="checkout.session.completed")
    granted = {
        "purchase_status": "COMPLETED",
        "paid_minor": bought.paid_minor,
        "granted_microcredits": bought.credits_microcredits,
    }
    about = {"account_id": "ada", "purchase_id": bought.purchase_id, "payment_intent_id": bought.payment_intent_id}
    assert paid.items() >= {"outcome": "PROCESSED", **about, **granted, "currency": "usd"}.items()
    assert paid["booked"].startswith(f"PURCHASE {bought.credits_microcredits} of ada (txn_")
    answers = [
        line for line in logged if line["event"] == "answered" and line.get("correlation_id") == paid["correlation_id"]
    ]
    assert [line["event_id"] for line in answers] == [paid["event_id"]]
    await dispute(stack, bought)
    disputed = the_rpc(logged, "ProcessStripeEvent", event_type="charge.dispute.created")
    assert disputed.items() >= {"outcome": "QUARANTINED", **about, "changed": "nothing"}.items()
    (alarm,) = [line for line in logged if line["event"] == "stripe_event_quarantined"]
    assert (
        alarm.items()
        >= {"level": "error", **about, "note": disputed["note"], "correlation_id": disputed["correlation_id"]}.items()
    )
    replayed = await stack.client.replay_stripe_event(event_id=disputed["event_id"])
    line = the_rpc(logged, "ReplayStripeEvent")
    assert (
        line.items()
        >= {**about, "event_id": replayed.event.event_id, "outcome": "QUARANTINED", "note": disputed["note"]}.items()
    )


async def test_what_stripe_says_no_to_is_found_by_the_calls_id(stack, logged):
    client = stack.client
    await client.create_account(account_id="ada")
    await stack.control("faults", {"kind": "unauthenticated", "path_prefix": "/v1/checkout"})
    with pytest.raises(errors.StripeKeyRefused):
        await client.create_purchase(
            account_id="ada", package_code="starter", timeout_s=1, headers={"x-request-id": "mine"}
        )
    mine = {line["event"]: line for line in logged if line.get("correlation_id") == "mine"}
    assert mine.keys() >= {"stripe_key_refused", "rpc"}
    assert (
        mine["rpc"].items() >= {"account_id": "ada", "package_code": "starter", "reason": "STRIPE_KEY_REFUSED"}.items()
    )


async def test_what_is_refused_is_logged_though_it_is_a_deduction(stack, logged):
    with pytest.raises(errors.AccountNotFound):
        await stack.client.deduct_credits(account_id="nobody", amount_microcredits=5)
    (line,) = rpcs(logged, "DeductCredits")
    assert (
        line.items()
        >= {"account_id": "nobody", "amount_microcredits": 5, "reason": "ACCOUNT_NOT_FOUND", "level": "info"}.items()
    )
    (outcome,) = await stack.client.batch_deduct_credits(
        deductions=[Deduction(account_id="nobody", amount_microcredits=5)]
    )
    assert isinstance(outcome, errors.AccountNotFound)
    (line,) = [line for line in logged if line["event"] == "deduction_refused"]
    assert (
        line.items() >= {"account_id": "nobody", "method": "BatchDeductCredits", "reason": "ACCOUNT_NOT_FOUND"}.items()
    )
