"""One Stripe customer for each account, whatever becomes of it at Stripe."""

import pytest
from stack import STRIPE_KEY

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def customer_of(stack, account):
    return (await stack.client.get_account(account_id=account)).account.stripe_customer_id


async def delete_at_stripe(stack, customer):
    answer = await stack.http.delete(f"{stack.sandbox_url}/v1/customers/{customer}", headers={"Authorization": f"Bearer {STRIPE_KEY}"})
    answer.raise_for_status()


async def test_a_customer_that_stripe_forgot_is_made_again(stack, new_account):
    """A sandbox that was started anew, or a deletion whose event never came: the purchase goes on with a new customer."""
    account = new_account()
    await stack.client.create_account(account_id=account)
    first = await customer_of(stack, account)

    def unknown():
        from billing_service.commands.customers import link_customer
        from billing_service.storage.profile_rows import PROFILES, read_profile

        profile = yield from read_profile(account)
        profile.stripe_customer_id = ""
        yield from PROFILES.replace(profile)
        yield from link_customer(stack.service.environment, account, "cus_unknown" + account.replace("-", ""))

    await stack.service.environment.store.write(unknown)
    purchase = await stack.buy(account)
    second = await customer_of(stack, account)
    assert purchase.paid_minor == 1_000
    assert second.startswith("cus_")
    assert second not in ("", first, "cus_unknown" + account.replace("-", ""))
    assert await stack.available(account) == 1_000


async def test_a_customer_deleted_at_stripe_is_forgotten_and_the_next_purchase_makes_another(stack, new_account):
    account = new_account()
    await stack.client.create_account(account_id=account, email="ada@example.com")
    first = await customer_of(stack, account)
    await delete_at_stripe(stack, first)
    await stack.webhooks()
    assert await customer_of(stack, account) == ""
    await stack.buy(account)
    assert await customer_of(stack, account) not in ("", first)


async def test_accounts_keep_their_customer(stack, new_account):
    account = new_account()
    await stack.buy(account)
    first = await customer_of(stack, account)
    await stack.buy(account)
    assert await customer_of(stack, account) == first != ""
