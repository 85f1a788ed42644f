"""Purchases that are paid in the caller's own page, over a real socket and on both stores: declined, authenticated,
called off, paid later, and paid when their time was over."""

from dataclasses import replace
from itertools import permutations

import pytest
import pytest_asyncio
from billing_client import PaymentFlow
from billing_client.errors import InvalidField, PurchaseNotCancelable
from prepaid.billing.v1 import purchases_pb2
from prepaid.billing.v1.reconciling_pb2 import FindingKind
from sqlalchemy import bindparam, select

from billing_service.jobs.unpaid_payments import end_unpaid_payments
from billing_service.storage.schema import idempotency_keys
from billing_service.storage.statements import reading
from tests.support.stack import STRIPE_KEY
from tests.support.webhooks_withheld import webhooks_withheld
from tests.support.wire import key

pytestmark = pytest.mark.asyncio(loop_scope="session")

FLOW = PaymentFlow.PAYMENT_FLOW_PAYMENT_INTENT
INTENTS = ("payment_intent.created", "payment_intent.processing", "payment_intent.payment_failed")
PUBLISHABLE = "pk_" + "test_sandbox0123456789"
RETURN_URL = "https://shop.test/thanks"
PENDING, AWAITING, COMPLETED, FAILED, EXPIRED, CANCELED = (
    purchases_pb2.PurchaseStatus.Value(f"PURCHASE_STATUS_{name}")
    for name in ("PENDING", "AWAITING_FUNDS", "COMPLETED", "FAILED", "EXPIRED", "CANCELED")
)


READ_KEYS = reading(
    "read kept replies",
    select(idempotency_keys.c.reply).where(idempotency_keys.c.account_id == bindparam("account_id")),
    "account_id",
)


class Page:
    """A page of the caller's own, which knows the publishable key and a purchase's client secret."""

    def __init__(self, stack, purchase):
        self._stack, self.purchase = stack, purchase

    async def ask(self, path="", secret=None, key=PUBLISHABLE, **form):
        url = f"{self._stack.sandbox_url}/v1/payment_intents/{self.purchase.payment_intent_id}{path}"
        form["client_secret"] = self.purchase.client_secret if secret is None else secret
        how = {"data": form} if path else {"params": form}
        method = "POST" if path else "GET"
        answer = await self._stack.http.request(method, url, headers={"Authorization": f"Bearer {key}"}, **how)
        return answer.status_code, answer.json()

    async def confirm(self, method="pm_card_visa", **form):
        status, intent = await self.ask("/confirm", payment_method=method, return_url=RETURN_URL, **form)
        await self._stack.webhooks()
        return status, intent

    async def stands(self):
        return (await self._stack.client.get_purchase(purchase_id=self.purchase.purchase_id)).purchase


@pytest_asyncio.fixture(loop_scope="session")
async def page(stack, new_account):
    return await opened(stack, new_account())


async def opened(stack, account_id, **options):
    made = await stack.client.create_purchase(
        account_id=account_id, package_code="starter", payment_flow=FLOW, **options
    )
    return Page(stack, made.purchase)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"success_url": RETURN_URL}, "success_url"), ({"cancel_url": RETURN_URL}, "cancel_url"), ({"flow": 3}, "flow")],
)
async def test_what_does_not_fit_is_refused_by_name(*, stack, new_account, wrong, field):
    with pytest.raises(InvalidField, match=field):
        await stack.client.create_purchase(
            account_id=new_account(),
            package_code="starter",
            payment_flow=wrong.get("flow", FLOW),
            **{name: value for name, value in wrong.items() if name != "flow"},
        )


async def test_a_payment_brings_its_credits(stack, page):
    made = page.purchase
    assert (made.status, made.checkout_url, made.checkout_session_id) == (PENDING, "", "")
    assert made.client_secret.startswith(made.payment_intent_id)
    assert made.expire_time.seconds > made.create_time.seconds
    assert (await page.confirm())[0] == 200
    sold = await page.stands()
    assert (sold.status, sold.paid_minor, sold.payment_intent_id) == (COMPLETED, 1_000, made.payment_intent_id)
    assert sold.client_secret == "", "who reads a purchase is told nothing to pay it by"
    assert await stack.available(made.account_id) == 1_000
    refund = (await stack.client.refund(purchase_id=made.purchase_id, amount_minor=400)).refund
    assert refund.amount_minor == 400
    await stack.webhooks()
    assert await stack.available(made.account_id) == 600


async def test_the_same_key_is_told_the_same_payment_and_its_secret_again(stack, new_account):
    account_id, same = new_account(), key()
    first = (await opened(stack, account_id, idempotency_key=same)).purchase
    again = await stack.client.create_purchase(
        account_id=account_id, package_code="starter", payment_flow=FLOW, idempotency_key=same
    )
    assert again.replayed
    assert (again.purchase.purchase_id, again.purchase.client_secret) == (first.purchase_id, first.client_secret)
    await Page(stack, first).confirm()
    paid = await stack.client.create_purchase(
        account_id=account_id, package_code="starter", payment_flow=FLOW, idempotency_key=same
    )
    assert paid.purchase.client_secret == "", "nothing is left to pay"


async def test_the_secret_is_in_no_reply_that_is_kept(stack, page):
    def work():
        rows = yield READ_KEYS(page.purchase.account_id)
        return [bytes(row[0]) for row in rows if row[0] is not None]

    replies = await stack.service.environment.store.read(work)
    assert replies
    assert not any(page.purchase.client_secret.encode() in reply for reply in replies)
    records = (await stack.client.list_audit_records()).records
    assert not any(page.purchase.client_secret in record.detail for record in records)


async def test_a_declined_card_may_be_followed_by_another(page):
    status, refused = await page.confirm("pm_card_visa_chargeDeclined")
    assert (status, refused["error"]["code"]) == (402, "card_declined")
    assert (await page.stands()).status == PENDING
    assert (await page.confirm())[0] == 200
    assert (await page.stands()).status == COMPLETED


@pytest.mark.parametrize(("answer", "status"), [("complete", COMPLETED), ("fail", PENDING)])
async def test_authentication(*, stack, page, answer, status):
    _, intent = await page.confirm("pm_card_authenticationRequired")
    assert intent["status"] == "requires_action"
    assert (await page.stands()).status == PENDING
    url = intent["next_action"]["redirect_to_url"]["url"]
    await stack.http.post(url, data={"answer": answer}, follow_redirects=False)
    await stack.webhooks()
    assert (await page.stands()).status == status


@pytest.mark.parametrize(("outcome", "status", "available"), [("succeeded", COMPLETED, 1_000), ("failed", FAILED, 0)])
async def test_money_that_takes_days(*, stack, page, outcome, status, available):
    await page.confirm("pm_usBankAccount_success")
    assert (await page.stands()).status == AWAITING
    with pytest.raises(PurchaseNotCancelable):
        await stack.client.cancel_purchase(purchase_id=page.purchase.purchase_id)
    await stack.control(f"payments/{page.purchase.payment_intent_id}/settle", {"outcome": outcome})
    await stack.webhooks()
    assert (await page.stands()).status == status
    assert await stack.available(page.purchase.account_id) == available


async def test_called_off(stack, page):
    same = key()
    done = await stack.client.cancel_purchase(purchase_id=page.purchase.purchase_id, idempotency_key=same)
    assert done.purchase.status == CANCELED
    await stack.webhooks()
    assert (await page.stands()).status == CANCELED
    status, refused = await page.confirm()
    assert (status, refused["error"]["code"]) == (400, "payment_intent_unexpected_state")
    again = await stack.client.cancel_purchase(purchase_id=page.purchase.purchase_id, idempotency_key=same)
    assert again.replayed


@pytest.fixture
def withheld(database):
    """A product whose webhooks never come."""
    return lambda: webhooks_withheld(database.url)


async def pay(page, method="pm_card_visa"):
    await page.ask("/confirm", payment_method=method, return_url=RETURN_URL)


async def test_called_off_when_it_was_paid_already(withheld):
    """Its event is late: the call finds out, and completes the purchase."""
    async with withheld() as world:
        page = await opened(world.stack, "ada")
        await pay(page)
        with pytest.raises(PurchaseNotCancelable):
            await world.stack.client.cancel_purchase(purchase_id=page.purchase.purchase_id)
        assert (await page.stands()).status == COMPLETED
        assert await world.stack.available("ada") == 1_000


async def end_unpaid(stack):
    """As if the day of every payment were over."""
    environment = stack.service.environment
    late_us = environment.clock_us() + 25 * 3_600 * 1_000_000
    await end_unpaid_payments(replace(environment, clock_us=lambda: late_us))


async def test_a_payment_whose_time_is_over_is_called_off(stack, page):
    await end_unpaid(stack)
    await stack.webhooks()
    assert (await page.stands()).status == EXPIRED
    assert (await page.confirm())[0] == 400


async def test_money_that_was_there_in_time_wins(withheld):
    async with withheld() as world:
        page = await opened(world.stack, "ada")
        await pay(page)
        await end_unpaid(world.stack)
        assert (await page.stands()).status == COMPLETED


async def test_a_page_needs_the_secret_and_may_do_nothing_else(page):
    for secret in ("", "pi_of_another_secret_x"):
        assert (await page.ask(secret=secret))[0] == 400
        assert (await page.ask("/confirm", secret, payment_method="pm_card_visa"))[0] == 400
    status, refused = await page.ask("/cancel")
    assert (status, refused["error"]["code"]) == (401, "secret_key_required")
    assert (await page.ask())[1]["status"] == "requires_payment_method"
    assert (await page.ask(secret="", key=STRIPE_KEY))[0] == 200
    assert (await page.stands()).status == PENDING


async def test_webhooks_that_were_lost_are_made_up_for(withheld):
    async with withheld() as world:
        client = world.stack.client
        paid, promised, declined, over = [await opened(world.stack, name) for name in ("a", "b", "c", "d")]
        await pay(paid)
        await pay(promised, "pm_usBankAccount_success")
        await pay(declined, "pm_card_visa_chargeDeclined")
        await world.stripe("POST", f"payment_intents/{over.purchase.payment_intent_id}/cancel")
        found = {}
        async for part in client.reconcile(dry_run=False, reason="lost"):
            found |= {each.purchase_id: each.kind for each in part.findings if each.subject_id.startswith("pi_")}
        assert found == {
            paid.purchase.purchase_id: FindingKind.FINDING_KIND_PURCHASE_NOT_COMPLETED,
            promised.purchase.purchase_id: FindingKind.FINDING_KIND_PURCHASE_OUTDATED,
            over.purchase.purchase_id: FindingKind.FINDING_KIND_PURCHASE_OUTDATED,
        }
        ends = [(await each.stands()).status for each in (paid, promised, declined, over)]
        assert ends == [COMPLETED, AWAITING, PENDING, EXPIRED]


async def test_events_in_any_order_end_alike(withheld):
    """Money that was promised and did not come, told when all of it is over."""
    async with withheld() as world:
        for number, order in enumerate(permutations(("processing", "payment_failed", "created"))):
            page = await opened(world.stack, f"account-{number}")
            await world.events()
            await pay(page, "pm_usBankAccount_success")
            await world.stack.control(f"payments/{page.purchase.payment_intent_id}/settle", {"outcome": "failed"})
            events = {event["type"].partition(".")[2]: event for event in await world.events(*INTENTS)}
            for each in order:
                if each in events:
                    assert await world.wire.deliver(events[each]) in ("PROCESSED", "IGNORED")
            assert (await page.stands()).status == FAILED, order
