"""Two deployments with the same account ids on one Stripe account: neither notices the other, whatever happens to its
objects."""

import shutil
import time
from contextlib import AsyncExitStack

import pytest
from prepaid.billing.v1.admin_pb2 import STRIPE_EVENT_STATUS_IGNORED as IGNORED
from prepaid.billing.v1.admin_pb2 import STRIPE_EVENT_STATUS_PROCESSED as PROCESSED
from prepaid.billing.v1.admin_pb2 import STRIPE_EVENT_STATUS_QUARANTINED as QUARANTINED

from billing_service.clock import TimeOrderedIds, system_clock_us
from billing_service.commands.access.deployment import renew_deployment
from billing_service.stripe_events.registry import BY_TYPE
from tests.end_to_end.two_deployments import deployed, rows_of, stripe_account
from tests.support.databases import Database
from tests.support.stack import CREDIT, STRIPE_KEY
from tests.support.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")
PENDING_REFUND_CARD = "4000000000007726"
NEVER_PLAYED = {name for name in BY_TYPE if name.startswith(("charge.dispute.", "radar.", "charge.refund."))}
"""By the sandbox."""


@pytest.fixture
def another(database, request, tmp_path):
    """Makes one more database on the same store: empty, or a copy of one that nothing has open."""
    dropped = []

    def make(copied_from=None):
        if database.store == "sqlite":
            path = tmp_path / f"another{len(dropped)}.db"
            dropped.append(path)
            shutil.copyfile(copied_from.path if copied_from else request.getfixturevalue("sqlite_template"), path)
            return Database("sqlite", f"sqlite:///{path}")
        server = request.getfixturevalue("postgres")
        url = server.copied(copied_from.url) if copied_from else server.migrated()
        dropped.append(url)
        return Database("postgresql", url)

    yield make
    if database.store == "postgresql":
        for url in dropped:
            request.getfixturevalue("postgres").drop(url)


async def stripe(stack, method, path, **form):
    """A call to Stripe's API as its Dashboard makes it."""
    url, headers = f"{stack.sandbox_url}/v1/{path}", {"Authorization": f"Bearer {STRIPE_KEY}"}
    answer = await stack.http.request(
        method, url, headers=headers, **({"params": form} if method == "GET" else {"data": form})
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def payment_of(stack, purchase):
    return (await stripe(stack, "GET", f"checkout/sessions/{purchase.checkout_session_id}"))["payment_intent"]


async def everything_happens(stack, account_id):
    """One account's purchases, refunds and customer, through every type of event that is handled."""
    client = stack.client
    await client.create_account(account_id=account_id, email=f"{stack.service.address.replace(':', '.')}@example.com")
    bought = await stack.buy(account_id)
    await client.refund(purchase_id=bought.purchase_id, amount_minor=100)
    payment = await payment_of(stack, bought)
    await stripe(stack, "POST", "refunds", payment_intent=payment, amount=100)
    failing = (await client.create_purchase(account_id=account_id, package_code="starter")).purchase
    await stack.pay(failing.checkout_url, PENDING_REFUND_CARD)
    await stack.webhooks()
    sent = await stripe(stack, "POST", "refunds", payment_intent=await payment_of(stack, failing), amount=200)
    await stack.control(f"refunds/{sent['id']}/settle", {"status": "failed"})
    for outcome in ("succeeded", "failed"):
        debited = (await client.create_purchase(account_id=account_id, package_code="starter")).purchase
        await stack.pay(debited.checkout_url, method="debit")
        await stack.control(f"payments/{await payment_of(stack, debited)}/settle", {"outcome": outcome})
    for end in ("expire", "cancel"):
        left = (await client.create_purchase(account_id=account_id, package_code="starter")).purchase
        if end == "expire":
            await stack.control(f"sessions/{left.checkout_session_id}/expire")
        else:
            await client.cancel_purchase(purchase_id=left.purchase_id)
    customer = (await client.get_account(account_id=account_id)).account.stripe_customer_id
    await stripe(stack, "POST", f"customers/{customer}", name="Another name")
    intent = await stripe(stack, "POST", "payment_intents", amount=500, currency="usd")
    await stripe(stack, "POST", f"payment_intents/{intent['id']}/cancel")
    await stripe(stack, "DELETE", f"customers/{customer}")
    await stack.webhooks()


async def disputes(stack, account_id, *deployments):
    """The sandbox's customers never dispute: the events about one of this account's payments are made here, and sent to
    all."""
    [*_, bought] = (await stack.client.list_purchases(account_id=account_id)).purchases
    about = {"object": "dispute", "payment_intent": await payment_of(stack, bought), "livemode": False}
    envelope = {"object": "event", "created": int(time.time()), "livemode": False}
    for number, event_type in enumerate(sorted(NEVER_PLAYED)):
        event = {**envelope, "id": f"evt_dispute{number}{account_id.replace('-', '')}", "type": event_type}
        event["data"] = {
            "object": about | {"id": f"dp_{number}", "object": "refund" if "refund" in event_type else about["object"]}
        }
        for deployment in deployments:
            async with Wire(deployment.stack.service.address) as wire:
                await wire.deliver(event, secret=deployment.secret)


async def test_the_same_account_in_two_deployments(database, another, new_account):
    account_id = new_account("same")
    async with AsyncExitStack() as running:
        url = await running.enter_async_context(stripe_account())
        first = await running.enter_async_context(deployed(database, url, "first"))
        second = await running.enter_async_context(deployed(another(), url, "second"))
        for mine, other in ((first, second), (second, first)):
            before, told = await other.rows(), await other.inbox()
            await everything_happens(mine.stack, account_id)
            assert {status for _, status in await mine.inbox()} <= {PROCESSED, IGNORED}
            await disputes(mine.stack, account_id, mine, other)
            assert await other.rows() == before
            assert {status for _, status in await other.inbox() - told} == {IGNORED}
            assert {kind for kind, _ in await other.inbox()} >= BY_TYPE.keys()
        balances = {await deployment.stack.available(account_id) for deployment in (first, second)}
        assert balances == {1_000 - 200 + 1_000 + 1_000}
        for deployment in (first, second):
            report = await deployment.stack.client.verify_ledger()
            assert not report.differences


async def test_a_stranger_s_customer_never_gets_onto_an_account(database, another, new_account):
    """The customer of another deployment came first: checkouts would open in its name, on its address."""
    account_id = new_account("same")
    async with AsyncExitStack() as running:
        url = await running.enter_async_context(stripe_account())
        first = await running.enter_async_context(deployed(database, url, "first"))
        second = await running.enter_async_context(deployed(another(), url, "second"))
        await second.stack.client.grant_credits(account_id=account_id, amount_microcredits=CREDIT, reason="gift")
        await first.stack.client.create_account(account_id=account_id, email="one@example.com", name="One")
        await first.stack.webhooks()
        untouched = (await second.stack.client.get_account(account_id=account_id)).account
        assert (untouched.stripe_customer_id, untouched.email, untouched.name) == ("", "", "")
        theirs = (await first.stack.client.get_account(account_id=account_id)).account
        await second.stack.buy(account_id)
        ours = (await second.stack.client.get_account(account_id=account_id)).account
        assert ours.stripe_customer_id not in ("", theirs.stripe_customer_id)


async def test_a_copy_that_is_renewed_and_its_original_do_not_touch(database, another, new_account):
    """What either makes from then on is foreign to the other; what was there before the copy stays known to both."""
    account_id = new_account("copied")
    async with AsyncExitStack() as sandbox:
        url = await sandbox.enter_async_context(stripe_account())
        async with deployed(database, url, "original") as original:
            bought = await original.stack.buy(account_id)
        copy = another(copied_from=database)
        store = await copy.open()
        await renew_deployment(store, system_clock_us, TimeOrderedIds(), lambda size: b"k" * size)
        await store.close()
        async with AsyncExitStack() as running:
            original = await running.enter_async_context(deployed(database, url, "original-again"))
            renewed = await running.enter_async_context(deployed(copy, url, "renewed"))
            for mine, other in ((original, renewed), (renewed, original)):
                before = await other.rows()
                sold = await mine.stack.buy(account_id)
                await mine.stack.client.refund(purchase_id=sold.purchase_id, amount_minor=400)
                await mine.stack.webhooks()
                assert await other.rows() == before
                assert {status for _, status in await other.inbox()} <= {PROCESSED, IGNORED}
            await stripe(
                original.stack, "POST", "refunds", payment_intent=await payment_of(original.stack, bought), amount=100
            )
            await original.stack.webhooks()
            for deployment in (original, renewed):
                assert await deployment.stack.available(account_id) == 1_000 + 600 - 100
                assert not (await deployment.stack.client.verify_ledger()).differences


async def test_a_copy_that_is_not_renewed_takes_what_it_does_not_know_for_lost(database, another, new_account):
    """As after the restore of an older backup: money that came since is an operator's work, and nothing else is."""
    account_id = new_account("lost")
    async with AsyncExitStack() as sandbox:
        url = await sandbox.enter_async_context(stripe_account())
        async with deployed(database, url, "original") as original:
            await original.stack.buy(account_id)
        copy = another(copied_from=database)
        async with AsyncExitStack() as running:
            original = await running.enter_async_context(deployed(database, url, "original-again"))
            restored = await running.enter_async_context(deployed(copy, url, "restored"))
            before = await rows_of(copy)
            newcomer = new_account("newcomer")
            await original.stack.client.create_account(account_id=newcomer, email="new@example.com")
            sold = await original.stack.buy(newcomer)
            await original.stack.client.refund(purchase_id=sold.purchase_id, amount_minor=400)
            left = (await original.stack.client.create_purchase(account_id=newcomer, package_code="starter")).purchase
            await original.stack.control(f"sessions/{left.checkout_session_id}/expire")
            await original.stack.webhooks()
            assert await rows_of(copy) == before
            told = await restored.inbox()
            moved = {"checkout.session.completed", "payment_intent.succeeded", "charge.refunded", "refund.created"}
            assert {kind for kind, status in told if status == QUARANTINED} == moved
            assert {("checkout.session.expired", IGNORED), ("customer.created", IGNORED)} <= told
