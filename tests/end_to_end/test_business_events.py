"""Business events: one row in the transaction of its cause, for what is no transaction, and none for a deduction."""

import json
from functools import partial

import pytest
from sqlalchemy import text

from billing_service.domain.ledger.events import EventKind
from billing_service.feed.head import FeedHead
from billing_service.feed.placing import Placing
from billing_service.jobs.outbox import RETENTION_US, forget_old_events
from billing_service.storage.rows import outbox
from billing_service.storage.statements import reading
from tests.end_to_end.money import ALLOW_DEBT, deduct, grant, undo
from tests.support.stack import CREDIT
from tests.support.wire import key

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def read(stack, sql):
    def work():
        return (yield reading("raw", text(sql))())

    return await stack.service.environment.store.read(work)


async def events(stack, account_id):
    """(kind, version, subject, detail) of each, in order."""
    rows = await read(
        stack,
        "SELECT kind, account_version, subject_id, detail FROM outbox "
        f"WHERE account_id = '{account_id}' ORDER BY account_version, event_id",
    )
    return [(EventKind(kind), version, subject, json.loads(detail)) for kind, version, subject, detail in rows]


async def test_a_purchase_is_told_once_however_often_it_is_delivered(stack, new_account):
    account_id = new_account()
    bought = await stack.buy(account_id)
    detail = {"credits_microcredits": 1_000 * CREDIT, "paid_minor": 1_000, "currency": "usd"}
    told = [(EventKind.PURCHASE_COMPLETED, 1, bought.purchase_id, detail)]
    assert await events(stack, account_id) == told
    for event in await read(stack, "SELECT event_id FROM stripe_events ORDER BY receive_time_us DESC LIMIT 9"):
        await stack.control("webhooks/redeliver", {"event": event[0]})
    await stack.webhooks()
    assert await events(stack, account_id) == told


async def test_a_refund_is_told_when_stripe_has_settled_it(stack, new_account):
    account_id = new_account()
    bought = await stack.buy(account_id)
    done = (await stack.client.refund(purchase_id=bought.purchase_id, amount_minor=100)).refund
    await stack.webhooks()
    assert (await events(stack, account_id))[1:] == [
        (
            EventKind.REFUND_SETTLED,
            3,
            done.refund_id,
            {"purchase_id": bought.purchase_id, "amount_minor": 100, "currency": "usd", "status": "SUCCEEDED"},
        )
    ]


async def test_debt_is_told_when_it_begins_and_not_while_it_grows(stack, wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 10)
    await deduct(wire, account_id, 4)
    assert await events(stack, account_id) == []
    first = await deduct(wire, account_id, 8, ALLOW_DEBT)
    await deduct(wire, account_id, 5, ALLOW_DEBT)
    told = [(EventKind.DEBT, 3, first.transaction_id, {"debt_microcredits": 2 * CREDIT})]
    assert await events(stack, account_id) == told
    await grant(wire, account_id, 7)
    again = await deduct(wire, account_id, 1, ALLOW_DEBT)
    assert await events(stack, account_id) == [
        *told,
        (EventKind.DEBT, 6, again.transaction_id, {"debt_microcredits": CREDIT}),
    ]


async def test_in_one_batch_debt_is_told_once_and_what_is_undone_in_it_is_not(stack, wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 10)
    charge = {"account_id": account_id, "amount_microcredits": 8 * CREDIT, "mode": ALLOW_DEBT}
    answer = await wire.call("BatchDeductCredits", deductions=[charge | {"idempotency_key": key()} for _ in range(3)])
    assert all(each.HasField("deducted") for each in answer.outcomes)
    assert [(kind, detail) for kind, _, _, detail in await events(stack, account_id)] == [
        (EventKind.DEBT, {"debt_microcredits": 14 * CREDIT})
    ]
    for each in answer.outcomes:
        await undo(wire, account_id, each.deducted)
    assert len(await events(stack, account_id)) == 1


async def test_a_clawback_that_makes_debt_tells_it(stack, wire, new_account):
    account_id = new_account()
    bought = await stack.buy(account_id)
    await deduct(wire, account_id, 1_000)
    await wire.do("Refund", purchase_id=bought.purchase_id, policy=2)
    await stack.webhooks()
    assert [kind for kind, *_ in await events(stack, account_id)] == [
        EventKind.PURCHASE_COMPLETED,
        EventKind.DEBT,
        EventKind.REFUND_SETTLED,
    ]


async def test_old_events_are_forgotten_and_no_others(stack, wire, new_account, monkeypatch):
    monkeypatch.setattr("billing_service.jobs.outbox.EVENTS_A_TRANSACTION", 2)
    account_id, environment = new_account(), stack.service.environment
    await grant(wire, account_id, 1)
    old_us = environment.clock_us() - RETENTION_US
    ages = [(f"evt_old_{number}", old_us - 1) for number in range(5)] + [("evt_young", old_us + 60_000_000)]
    rows = [(account_id, event_id, 1, int(EventKind.DEBT), at_us, event_id, "{}", 0) for event_id, at_us in ages]
    await environment.store.write(partial(kept, rows))
    await Placing(environment.store, FeedHead()).run()
    await forget_old_events(environment.store, environment.clock_us)
    assert [subject for _, _, subject, _ in await events(stack, account_id)] == ["evt_young"]


def kept(rows):
    assert (yield outbox.INSERT.many(rows)) == len(rows)
