"""The page after paying, as customers meet it: the address that Stripe sends them to, at the gateway, with a key of
scope webhook."""

from contextlib import AsyncExitStack

import pytest
from billing_client import AsyncBillingClient
from billing_client.errors import ScopeMissing
from billing_client.options import ClientOptions

from billing_service.clock import system_clock_us
from billing_service.commands.access.api_keys import create_key_directly
from billing_service.domain.access.api_keys import Scope
from tests.support.stack import CREDIT, PEPPER, WEBHOOK_SECRET, running_stack
from webhook_gateway.config import GatewayConfig
from webhook_gateway.run import serve_gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")


def page_of(stack, purchase):
    return f"{stack.gateway_url}/billing/success?session_id={purchase.checkout_session_id}"


async def read(stack, purchase):
    answer = await stack.http.get(page_of(stack, purchase))
    assert answer.status_code == 200
    assert all(known not in answer.text for known in (purchase.account_id, purchase.purchase_id, "pi_")), (
        "more than the customer knows"
    )
    return answer.text


async def test_a_card_arrives_within_moments(stack, new_account):
    account_id = new_account()
    purchase = (await stack.client.create_purchase(account_id=account_id, package_code="standard")).purchase
    assert "on their way" in await read(stack, purchase)
    await stack.pay(purchase.checkout_url)
    await stack.webhooks()
    text = await read(stack, purchase)
    assert "Your credits have arrived" in text
    assert "5,000" in text
    assert "$45.00" in text
    assert 'http-equiv="refresh"' not in text
    assert await stack.available(account_id) == 5_000


@pytest.mark.parametrize(
    ("outcome", "title"), [("succeeded", "Your credits have arrived"), ("failed", "The payment did not go through")]
)
async def test_a_bank_debit_takes_days_and_says_so(stack, new_account, outcome, title):
    purchase = (await stack.client.create_purchase(account_id=new_account(), package_code="starter")).purchase
    await stack.pay(purchase.checkout_url, method="debit", course="arrives")
    await stack.webhooks()
    text = await read(stack, purchase)
    assert "A bank debit takes some business days" in text
    assert 'content="60;' in text
    await stack.control(f"payments/{purchase.checkout_session_id}/settle", {"outcome": outcome})
    await stack.webhooks()
    assert title in await read(stack, purchase)


async def test_one_that_was_called_off_says_so(stack, new_account):
    purchase = (await stack.client.create_purchase(account_id=new_account(), package_code="starter")).purchase
    await stack.client.cancel_purchase(purchase_id=purchase.purchase_id)
    assert "called off" in await read(stack, purchase)


async def test_another_s_purchase_is_found_by_its_session_alone(stack, new_account):
    purchase = await stack.buy(new_account())
    for other in (purchase.purchase_id, purchase.payment_intent_id, purchase.checkout_session_id[:-1]):
        answer = await stack.http.get(f"{stack.gateway_url}/billing/success?session_id={other}")
        assert answer.status_code == 404
        assert "$" not in answer.text


async def test_without_an_application_customers_return_to_a_page_that_answers(database):
    """The service is told nothing but where its gateway listens; the gateway's key has the scope webhook, and may read
    nothing else."""
    async with AsyncExitStack() as running:
        # The stack's own gateway has no key, so that what it is sent fails: it is sent twice, and not for 6 s.
        stack = await running.enter_async_context(
            running_stack(database.url, sandbox={"delivery_attempts_max": 2}, BILLING_AUTH="keys")
        )
        store, pepper = stack.service.environment.store, PEPPER.encode()
        keys = {
            scope: await create_key_directly(store, system_clock_us, pepper, f"of-{scope.value}", [scope])
            for scope in (Scope.ADMIN, Scope.WEBHOOK)
        }
        billing = ClientOptions(address=stack.service.address, api_key=keys[Scope.WEBHOOK])
        gateway_url = await running.enter_async_context(
            serve_gateway(GatewayConfig(secrets=(WEBHOOK_SECRET,), billing=billing))
        )
        admin = await running.enter_async_context(AsyncBillingClient(stack.service.address, api_key=keys[Scope.ADMIN]))
        webhook = await running.enter_async_context(AsyncBillingClient.from_options(billing))
        await stack.control("webhooks/endpoints", {"url": f"{gateway_url}/webhooks/stripe", "secret": WEBHOOK_SECRET})
        made = await admin.create_purchase(
            account_id="ada",
            package_code="starter",
            success_url=f"{gateway_url}/billing/success?session_id={{CHECKOUT_SESSION_ID}}",
        )
        landed = (await stack.pay(made.purchase.checkout_url)).headers["Location"]
        await stack.webhooks()
        assert "Your credits have arrived" in (await stack.http.get(landed)).text
        status = await webhook.get_checkout_status(checkout_session_id=made.purchase.checkout_session_id)
        assert (status.credits_microcredits, status.amount_minor, status.paid_minor, status.currency) == (
            1_000 * CREDIT,
            1_000,
            1_000,
            "usd",
        )
        with pytest.raises(ScopeMissing):
            await webhook.get_purchase(checkout_session_id=made.purchase.checkout_session_id)
