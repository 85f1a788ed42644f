"""What an event costs the database: one transaction, no row written twice, and one statement where it is nobody's
business here."""

from collections import Counter

import pytest
from prepaid.billing.v1 import refunds_pb2

from billing_service.storage.statements import Together
from tests.support.event_world import CREDITS

PAID = "checkout.session.completed"


@pytest.fixture
def asked(world, monkeypatch):
    """The names of the statements of each transaction from now on."""
    transactions = []

    def watched(run):
        def watch(work):
            def unit():
                names = []
                transactions.append(names)
                steps = work()
                try:
                    call = next(steps)
                    while True:
                        names.extend(
                            each.statement.name for each in (call.calls if isinstance(call, Together) else (call,))
                        )
                        call = steps.send((yield call))
                except StopIteration as end:
                    return end.value

            return run(unit)

        return watch

    for way in ("read", "write"):
        monkeypatch.setattr(world.store, way, watched(getattr(world.store, way)))
    return transactions


@pytest.mark.parametrize(
    ("event_type", "changes"),
    [
        ("product.created", {}),
        ("payment_intent.canceled", {}),
        (PAID, {"livemode": True}),
        (PAID, {"account": "acct_of_another"}),
    ],
)
async def test_an_event_that_has_no_business_here_is_kept_in_one_statement(*, world, asked, event_type, changes):
    page = await world.open_page()
    event = world.event(event_type, page.session()) | changes
    asked.clear()
    outcome = await world.deliver(event)
    assert outcome in ("IGNORED", "QUARANTINED")
    assert asked == [["keep event"]]
    asked.clear()
    assert await world.deliver(event) == "DUPLICATE"
    assert asked == [["keep event", "claim event", "lock event"]]
    kept = (await world.kept())[event["id"]]
    assert (kept.status.value, kept.attempt_count, bool(kept.error)) == (outcome, 1, True)


async def test_a_stranger_s_object_costs_one_transaction(world, asked):
    event = world.event(PAID, {"id": "cs_of_another", "object": "checkout.session", "payment_status": "paid"})
    assert await world.deliver(event) == "IGNORED"
    assert asked == [["claim event", "read purchase reference", "close event"]]


async def test_a_purchase_is_written_once_whatever_an_event_brings(world, asked):
    page = await world.open_page()
    for number in range(3):
        assert await world.deliver(world.event("refund.created", page.refund(number, amount=10))) == "IGNORED"
    page.list_at_stripe(*(page.refund(number, amount=10) for number in range(6)))
    events = [
        world.event("payment_intent.succeeded", page.payment()),
        world.event(PAID, page.session()),
        world.event("charge.refunded", page.charge(amount_refunded=60)),
        world.event("refund.failed", page.refund(5, amount=10, status="failed")),
    ]
    for event in events:
        asked.clear()
        assert await world.deliver(event) == "PROCESSED"
        assert Counter(asked[-1])["replace purchases"] == 1, asked
    stands = await page.stands()
    assert (stands["available"], stands["purchase"]["refunded_minor"], len(stands["refunds"])) == (CREDITS - 50, 50, 6)


async def test_a_refund_of_ours_writes_its_purchase_once_a_step(world, asked):
    page = await world.open_page()
    await world.deliver(world.event(PAID, page.session()))
    asked.clear()
    await world.service.answer(
        "refund", refunds_pb2.RefundRequest(purchase_id=page.purchase_id, amount_minor=300, idempotency_key="k")
    )
    assert [Counter(names)["replace purchases"] for names in asked if "replace purchases" in names] == [1, 1]
    assert (await page.stands())["available"] == CREDITS - 300
