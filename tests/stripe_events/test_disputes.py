"""A purchase's credits follow the money that disputes take and return; inquiries and warnings only flag it."""

import json

import pytest
from prepaid.billing.v1 import transactions_pb2
from sqlalchemy import text

from billing_service.domain.ledger.events import EventKind
from billing_service.domain.sales.disputes import PurchaseFlags
from billing_service.storage.statements import reading
from tests.support.bought_page import PRICE_MINOR
from tests.support.event_world import CREDITS, NOW_S

CREATED, UPDATED, OUT, BACK, CLOSED = (
    f"charge.dispute.{what}" for what in ("created", "updated", "funds_withdrawn", "funds_reinstated", "closed")
)
WARNED = "radar.early_fraud_warning.created"
PAID = "checkout.session.completed"


async def paid_page(world):
    page = await world.open_page()
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    return page


async def told(world, kind, about, second=0):
    return await world.deliver(world.event(kind, about, created_s=NOW_S + second))


async def spend(world, page, credit):
    spent = transactions_pb2.DeductCreditsRequest(
        account_id=page.account_id, amount_microcredits=credit * 10**6, idempotency_key="spent"
    )
    await world.service.answer("deduct_credits", spent)


async def events_of(world, page):
    """(kind, subject, detail) of the business events of the page's account."""

    def work():
        where = f"account_id = '{page.account_id}' ORDER BY event_id"
        return (yield reading("raw", text(f"SELECT kind, subject_id, detail FROM outbox WHERE {where}"))())

    rows = await world.store.read(work)
    return [(EventKind(kind), subject, json.loads(detail)) for kind, subject, detail in rows]


async def money(page):
    stands = await page.stands()
    return stands["available"], stands["debt"], stands["purchase"]["disputed_minor"]


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"currency": "eur"}, "currency: expected usd"),
        ({"currency": None}, "Dispute.currency is missing"),
        ({"amount": None}, "Dispute.amount_minor is missing"),
        ({"amount": -1}, "dispute.amount is not a whole number"),
        ({"id": ""}, "dispute.id is not an id"),
        ({"status": None}, "Dispute.word is missing"),
        ({"balance_transactions": 7}, "is no list of balance transactions"),
        ({"balance_transactions": ["txn_1"]}, "is no list of balance transactions"),
        ({"balance_transactions": [{"id": "txn_1", "amount": "-5"}]}, "is no list of balance transactions"),
        ({"balance_transactions": [{"amount": -5}]}, "is no list of balance transactions"),
        (
            {"balance_transactions": [{"id": f"txn_{number}", "amount": 0} for number in range(101)]},
            "more than 100 balance transactions",
        ),
    ],
)
async def test_a_dispute_that_says_nothing_usable_is_quarantined(world, changes, note):
    page = await paid_page(world)
    event = world.event(OUT, page.dispute(-PRICE_MINOR) | changes)
    assert await world.deliver(event) == "QUARANTINED"
    assert note in (await world.kept())[event["id"]].error
    assert await money(page) == (CREDITS, 0, 0)


async def test_a_dispute_of_a_strangers_payment_is_ignored(world):
    page = await paid_page(world)
    for payment in ("pi_of_another_product", None):
        assert await told(world, OUT, page.dispute(-PRICE_MINOR, payment_intent=payment)) == "IGNORED"
    assert await money(page) == (CREDITS, 0, 0)


async def test_withdrawn_funds_take_credits_and_returned_funds_give_back_what_was_taken(world):
    page = await paid_page(world)
    assert await told(world, CREATED, page.dispute()) == "PROCESSED"
    assert await money(page) == (CREDITS, 0, 0)
    assert (await page.stands())["purchase"]["flags"] == PurchaseFlags.DISPUTED
    assert await told(world, OUT, page.dispute(-PRICE_MINOR), 1) == "PROCESSED"
    assert await money(page) == (0, 0, PRICE_MINOR)
    assert await told(world, CLOSED, page.dispute(-PRICE_MINOR, status="won"), 9) == "PROCESSED"
    assert await money(page) == (0, 0, PRICE_MINOR), "decided, and not yet returned"
    assert await told(world, BACK, page.dispute(-PRICE_MINOR, PRICE_MINOR, status="won"), 9) == "PROCESSED"
    assert await money(page) == (CREDITS, 0, 0)
    assert (await page.stands())["purchase"]["flags"] == 0


async def test_what_was_spent_becomes_debt_and_is_settled_by_what_comes_back(world):
    page = await paid_page(world)
    await spend(world, page, CREDITS - 100)
    await told(world, OUT, page.dispute(-PRICE_MINOR))
    assert await money(page) == (0, CREDITS - 100, PRICE_MINOR)
    await told(world, BACK, page.dispute(-PRICE_MINOR, PRICE_MINOR // 2, status="won"), 5)
    assert await money(page) == (0, CREDITS // 2 - 100, PRICE_MINOR // 2)
    await told(world, BACK, page.dispute(-PRICE_MINOR, PRICE_MINOR // 2, PRICE_MINOR // 2, status="won"), 6)
    assert await money(page) == (100, 0, 0)


async def test_a_dispute_in_another_currency_takes_its_own_share(world):
    """Entries are in the currency of Stripe's balance."""
    page = await paid_page(world)
    await told(world, OUT, page.dispute(-460, amount=PRICE_MINOR // 2))
    assert await money(page) == (CREDITS // 2, 0, PRICE_MINOR // 2)


async def test_a_dispute_larger_than_its_payment_takes_no_more_than_the_purchase(world):
    page = await paid_page(world)
    await told(world, OUT, page.dispute(-3 * PRICE_MINOR, amount=3 * PRICE_MINOR))
    assert await money(page) == (0, 0, 3 * PRICE_MINOR)


async def test_several_disputes_and_a_refund_take_the_same_credits_once(world):
    page = await paid_page(world)
    await told(world, "refund.created", page.refund(amount=PRICE_MINOR // 10))
    await told(world, OUT, page.dispute(-PRICE_MINOR))
    assert await money(page) == (0, 0, PRICE_MINOR)
    await told(world, BACK, page.dispute(-PRICE_MINOR, PRICE_MINOR, status="won"), 3)
    assert await money(page) == (CREDITS * 9 // 10, 0, 0)
    rest = PRICE_MINOR * 9 // 10
    await told(world, OUT, page.dispute(-rest, number=2, amount=rest), 4)
    assert await money(page) == (0, 0, rest)
    assert [each[0][-2:] for each in (await page.stands())["disputes"]] == ["n1", "n2"]


async def test_disputes_of_parts_add_up(world):
    page = await paid_page(world)
    for number, part in enumerate((300, 400), 1):
        await told(world, OUT, page.dispute(-part, number=number, amount=part), number)
    assert await money(page) == (CREDITS - 700, 0, 700)
    await told(world, BACK, page.dispute(-300, 300, amount=300, status="won"), 5)
    assert await money(page) == (CREDITS - 400, 0, 400)


async def test_a_dispute_that_turns_after_it_was_lost(world):
    page = await paid_page(world)
    await told(world, OUT, page.dispute(-PRICE_MINOR))
    await told(world, CLOSED, page.dispute(-PRICE_MINOR, status="lost"), 5)
    stands = await page.stands()
    assert (stands["purchase"]["flags"], stands["available"]) == (0, 0)
    await told(world, BACK, page.dispute(-PRICE_MINOR, PRICE_MINOR, status="won"), 8)
    assert await money(page) == (CREDITS, 0, 0)


async def test_an_inquiry_and_a_warning_flag_and_move_nothing(world):
    page = await paid_page(world)
    await told(world, CREATED, page.dispute(status="warning_needs_response"))
    assert await told(world, WARNED, page.warning()) == "PROCESSED"
    assert await told(world, WARNED, page.warning()) == "PROCESSED"
    assert (await page.stands())["purchase"]["flags"] == PurchaseFlags.INQUIRY | PurchaseFlags.FRAUD_WARNING
    await told(world, CLOSED, page.dispute(status="warning_closed"), 5)
    assert (await page.stands())["purchase"]["flags"] == PurchaseFlags.FRAUD_WARNING
    assert await money(page) == (CREDITS, 0, 0)
    kinds = [kind for kind, *_ in await events_of(world, page)]
    assert kinds.count(EventKind.FRAUD_WARNING) == 1
    assert kinds.count(EventKind.DISPUTE_CHANGED) == 2


async def test_a_repeated_dispute_tells_nobody_again(world):
    page = await paid_page(world)
    for _ in range(3):
        await told(world, OUT, page.dispute(-PRICE_MINOR))
    (told_once,) = [event for event in await events_of(world, page) if event[0] is EventKind.DISPUTE_CHANGED]
    assert told_once[1].startswith("dp_")
    assert told_once[2] == {
        "purchase_id": page.purchase_id,
        "status": "NEEDS_RESPONSE",
        "amount_minor": PRICE_MINOR,
        "out_minor": PRICE_MINOR,
        "currency": "usd",
    }


async def test_a_dispute_before_its_payment_is_known_waits(world):
    page = await world.open_page()
    assert await told(world, OUT, page.dispute(-PRICE_MINOR)) == "IGNORED"
    assert await told(world, BACK, page.dispute(-PRICE_MINOR, PRICE_MINOR // 2), 5) == "IGNORED"
    assert await world.deliver(world.event(PAID, page.session())) == "PROCESSED"
    assert await money(page) == (CREDITS // 2, 0, PRICE_MINOR // 2)
    assert await world.waiting() == set()
