"""Killed between two steps of one command, or between receiving an event and committing it: the same key, or the next
delivery, resumes."""

import asyncio
import sqlite3
import time
from contextlib import asynccontextmanager

import pytest

from tests.crash.product import running_product
from tests.support.databases import connect_to

HANG_S = 1.0
NOTICED_WITHIN_S = 4.5
"""That nobody listens is noticed at once; a gateway that went on asking would take its 5 s."""


@pytest.fixture
async def product(database, forker, tmp_path):
    async with running_product(database, forker, tmp_path / "service.log") as started:
        yield started


async def kill_during(product, call, reached):
    """Kills the service while Stripe hangs in a call that it takes (`reached` tells), and starts it again."""
    calling = asyncio.create_task(product.until_definite(call))
    await product.until(reached)
    await product.service.kill()
    await product.service.start()
    return await calling


def is_consumed(product):
    """Whether Stripe has met the planned fault: it is in the middle of the call."""

    async def consumed():
        return not (await product.http.get(f"{product.sandbox_url}/_sandbox/state")).json()["faults"]

    return consumed


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_purchase_resumes_by_its_key(product, when):
    await product.control(
        "faults", {"kind": "hang", "seconds": HANG_S, "when": when, "method": "POST", "path_prefix": "/v1/checkout"}
    )

    def call():
        return product.client.create_purchase(account_id="buyer", package_code="starter", idempotency_key="buy")

    made = await kill_during(product, call, is_consumed(product))
    again = await call()
    assert again.replayed
    assert again.purchase == made.purchase
    assert await product.objects("checkout.session") == 1
    assert (await product.pay(made.purchase.checkout_url)).status_code == 303
    await product.webhooks()
    bought = (await product.client.list_purchases(account_id="buyer")).purchases
    assert [purchase.purchase_id for purchase in bought] == [made.purchase.purchase_id]
    assert await product.available("buyer") * 1_000_000 == bought[0].credits_microcredits


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_refund_resumes_by_its_key(product, when):
    bought = await product.buy("buyer")
    await product.control(
        "faults", {"kind": "hang", "seconds": HANG_S, "when": when, "method": "POST", "path_prefix": "/v1/refunds"}
    )

    def call():
        return product.client.refund(purchase_id=bought.purchase_id, idempotency_key="back")

    made = await kill_during(product, call, is_consumed(product))
    again = await call()
    assert again.replayed
    assert again.refund == made.refund
    await product.webhooks()
    assert await product.objects("refund") == 1
    purchase = (await product.client.get_purchase(purchase_id=bought.purchase_id)).purchase
    assert purchase.refunded_minor == purchase.amount_minor
    assert await product.available("buyer") == 0


@asynccontextmanager
async def money_locked(database, account_id):
    """Nobody else commits on the account: a delivery is received and can't be committed."""
    if database.store == "sqlite":
        connection = sqlite3.connect(database.path, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        finally:
            connection.close()
        return
    connection = await connect_to(database.url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM accounts WHERE account_id = $1 FOR UPDATE", account_id)
            yield
    finally:
        await connection.close()


async def test_an_event_that_was_received_and_not_committed_is_granted_by_the_next_delivery(database, forker, tmp_path):
    async with running_product(database, forker, tmp_path / "service.log", webhooks=False) as product:
        made = await product.client.create_purchase(account_id="buyer", package_code="starter")
        await product.pay(made.purchase.checkout_url)
        event = await product.event("checkout.session.completed")

        async with money_locked(database, "buyer"):
            delivery = asyncio.create_task(product.deliver(event))
            await asyncio.wait({delivery}, timeout=0.3)
            assert not delivery.done()
            await product.service.kill()
            assert await delivery == 503
        begun = time.monotonic()
        assert await product.deliver(event) == 503
        assert time.monotonic() - begun < NOTICED_WITHIN_S

        await product.service.start()
        assert await product.available("buyer") == 0
        answers = await asyncio.gather(*(product.deliver(event) for _ in range(5)))
        assert set(answers) == {200}
        assert await product.available("buyer") * 1_000_000 == made.purchase.credits_microcredits


async def test_for_each_200_the_ledger_has_the_purchase_through_kills(database, forker, tmp_path):
    async with running_product(database, forker, tmp_path / "service.log", webhooks=False) as product:
        events = {}
        for number in range(12):
            made = await product.client.create_purchase(account_id=f"buyer-{number}", package_code="starter")
            await product.pay(made.purchase.checkout_url)
            events[f"buyer-{number}"] = await product.event("checkout.session.completed")

        async def deliver_until_accepted(payload):
            async with asyncio.timeout(30):
                while (status := await product.deliver(payload)) != 200:
                    assert status == 503
                    await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as deliveries:
            for number, payload in enumerate(events.values()):
                deliveries.create_task(deliver_until_accepted(payload))
                if number % 4 == 3:
                    await product.service.kill()
                    await product.service.start()
        bought = made.purchase.credits_microcredits
        assert [await product.available(account_id) * 1_000_000 for account_id in events] == [bought] * len(events)
