"""One Stripe customer for each account, whatever becomes of it at Stripe."""

import re

import pytest
from billing_client import AsyncBillingClient
from billing_client.errors import InvalidField

from billing_service.api import validation
from billing_service.bootstrap import open_service
from billing_service.settings import load_settings
from tests.support.stack import STRIPE_KEY, environment

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def customer_of(stack, account):
    return (await stack.client.get_account(account_id=account)).account.stripe_customer_id


async def delete_at_stripe(stack, customer):
    answer = await stack.http.delete(
        f"{stack.sandbox_url}/v1/customers/{customer}", headers={"Authorization": f"Bearer {STRIPE_KEY}"}
    )
    answer.raise_for_status()


async def test_a_customer_that_stripe_forgot_is_made_again(stack, new_account):
    """A sandbox that was started anew, or a deletion whose event never came: the purchase goes on with a new
    customer."""
    account = new_account()
    await stack.client.create_account(account_id=account)
    first = await customer_of(stack, account)

    def unknown():
        from billing_service.commands.accounts.customers import link_customer
        from billing_service.storage.rows.profiles import PROFILES, read_profile

        profile = yield from read_profile(account)
        profile.stripe_customer_id = ""
        yield from PROFILES.replace(profile)
        yield from link_customer(stack.service.environment, account, "cus_unknown" + account.replace("-", ""), 0)

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


async def test_two_databases_may_share_a_stripe_account_and_account_ids(stack, new_account, tmp_path):
    """A staging database beside a developer's: the same id is another customer, not the same request said
    differently."""
    account = new_account()
    await stack.client.create_account(account_id=account, email="one@example.com")
    settings = load_settings(environment(f"sqlite:///{tmp_path}/other.db", stack.sandbox_url))
    async with open_service(settings) as other, AsyncBillingClient(other.address) as client:
        await client.create_account(account_id=account, email="two@example.com")
        theirs = (await client.get_account(account_id=account)).account.stripe_customer_id
        made = await client.create_purchase(account_id=account, package_code="starter")
    assert theirs not in ("", await customer_of(stack, account))
    assert made.purchase.checkout_url


async def test_an_account_id_of_any_letters_gets_its_customer(stack, new_account):
    account = new_account("Zo\u00eb \N{SNOWMAN}")
    await stack.buy(account)
    assert (await customer_of(stack, account)).startswith("cus_")


BAD_ADDRESSES = ["a@b", "a@b..co", "a,b@c.de", "<a@b.co>"]


@pytest.mark.parametrize("address", BAD_ADDRESSES)
async def test_an_address_that_stripe_refuses_makes_no_account(stack, new_account, address):
    with pytest.raises(InvalidField) as refused:
        await stack.client.create_account(account_id=new_account(), email=address)
    assert [field for field, _ in refused.value.violations] == ["email"]


@pytest.fixture
def anything_goes(monkeypatch):
    """The rule of an older program, which took what Stripe refuses."""

    def switch():
        monkeypatch.setattr(validation, "_EMAIL", re.compile(r"[^@\s]+@[^@\s]+"))
        return monkeypatch.undo

    return switch


@pytest.mark.parametrize("address", BAD_ADDRESSES)
async def test_an_older_account_with_an_address_that_stripe_refuses_buys_all_the_same(
    *, stack, new_account, anything_goes, address
):
    account = new_account()
    back_to_now = anything_goes()
    made = await stack.client.create_account(account_id=account, email=address, idempotency_key="k")
    back_to_now()
    assert await customer_of(stack, account) == ""
    purchase = await stack.buy(account)
    assert (purchase.paid_minor, await stack.available(account)) == (1_000, 1_000)
    assert await customer_of(stack, account) == ""
    assert (await stack.client.get_account(account_id=account)).account.email == address
    again = await stack.client.create_account(account_id=account, email=address, idempotency_key="k")
    assert (again.account, again.replayed) == (made.account, True)
