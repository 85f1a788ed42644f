"""A customer that Stripe has already becomes a new account's: refused where it is another's, unknown or deleted, and
asked for before anything is made."""

import asyncio

import pytest
import pytest_asyncio

from billing_service.clock import system_clock_us
from billing_service.commands.access.api_keys import create_key_directly
from billing_service.domain.access.api_keys import Scope
from billing_service.domain.deployment import MARK_FIELD
from tests.end_to_end.lasting_stripe import hasty
from tests.support.stack import PEPPER, STRIPE_KEY, running_stack
from tests.support.wire import Wire, row_counts, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

TAKEN = ("ALREADY_EXISTS", "STRIPE_CUSTOMER_TAKEN")
NOT_FOUND = ("NOT_FOUND", "STRIPE_CUSTOMER_NOT_FOUND")
DELETED = ("FAILED_PRECONDITION", "STRIPE_CUSTOMER_DELETED")
NO_ACCOUNT = ("NOT_FOUND", "ACCOUNT_NOT_FOUND")


class Shop:
    """A running product, and Stripe's side of it."""

    def __init__(self, stack, wire):
        self.stack, self.wire = stack, wire

    async def stripe(self, method, path, **form):
        """A call to Stripe's API as its Dashboard makes it."""
        answer = await self.stack.http.request(
            method,
            f"{self.stack.sandbox_url}/v1/{path}",
            headers={"Authorization": f"Bearer {STRIPE_KEY}"},
            **({"params": form} if method == "GET" else {"data": form}),
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def customer(self, **form):
        """One that was made at Stripe, long known to everybody."""
        made = await self.stripe("POST", "customers", **form)
        await self.stack.webhooks()
        return made["id"]

    async def account(self, account_id):
        return (await self.wire.call("GetAccount", account_id=account_id)).account


@pytest.fixture
def shop(stack, wire):
    return Shop(stack, wire)


@pytest_asyncio.fixture(loop_scope="session")
async def own(database, monkeypatch):
    """A shop whose Stripe may be away."""
    hasty(monkeypatch)
    async with running_stack(database.url, STRIPE_TIMEOUT_S="0.5") as stack, Wire(stack.service.address) as wire:
        yield Shop(stack, wire)


async def refused_and_nothing_made(shop, account_id, customer_id, reason):
    refused = await shop.wire.error(
        "CreateAccount", account_id=account_id, stripe_customer_id=customer_id, idempotency_key="k"
    )
    assert told(refused) == reason
    assert refused.metadata == {"stripe_customer_id": customer_id}
    assert await shop.wire.refusal("GetAccount", account_id=account_id) == NO_ACCOUNT
    # The key is free.
    assert not (await shop.wire.call("CreateAccount", account_id=account_id, idempotency_key="k")).replayed


async def test_one_that_stripe_does_not_have(shop, new_account):
    await refused_and_nothing_made(shop, new_account(), "cus_nobody", NOT_FOUND)


async def test_one_that_was_deleted_at_stripe(shop, new_account):
    customer_id = await shop.customer(email="gone@example.com")
    await shop.stripe("DELETE", f"customers/{customer_id}")
    await refused_and_nothing_made(shop, new_account(), customer_id, DELETED)


async def test_one_that_was_made_for_another_account(shop, new_account):
    made = await shop.wire.do("CreateAccount", account_id=new_account())
    other = (await shop.account(made.account.account_id)).stripe_customer_id
    await refused_and_nothing_made(shop, new_account(), other, TAKEN)


async def test_one_that_another_account_adopted(shop, new_account):
    customer_id = await shop.customer()
    await shop.wire.do("CreateAccount", account_id=new_account(), stripe_customer_id=customer_id)
    await refused_and_nothing_made(shop, new_account(), customer_id, TAKEN)


async def test_one_that_was_another_accounts_and_was_deleted(shop, new_account):
    customer_id = await shop.customer()
    await shop.wire.do("CreateAccount", account_id=new_account(), stripe_customer_id=customer_id)
    await shop.stripe("DELETE", f"customers/{customer_id}")
    await shop.stack.webhooks()
    await refused_and_nothing_made(shop, new_account(), customer_id, TAKEN)


async def test_one_that_another_deployment_marked(shop, new_account):
    """It would go on charging and updating the customer as its own."""
    account_id = new_account()
    customer_id = await shop.customer(**{f"metadata[{MARK_FIELD}]": "f" * 32, "metadata[account_id]": account_id})
    await refused_and_nothing_made(shop, account_id, customer_id, TAKEN)


async def test_of_two_accounts_that_ask_at_once_one_gets_it(shop, new_account):
    customer_id, accounts = await shop.customer(), [new_account() for _ in range(6)]
    ended = await asyncio.gather(
        *(
            shop.wire.attempt("CreateAccount", account_id=each, stripe_customer_id=customer_id, idempotency_key="k")
            for each in accounts
        )
    )
    refused = [told(each) for each in ended if isinstance(each, Exception)]
    assert refused == [TAKEN] * 5
    [made] = [each for each in ended if not isinstance(each, Exception)]
    assert made.account.stripe_customer_id == customer_id


async def test_a_key_bound_to_accounts_adopts_none(database):
    """Whose card it is would be the caller's word alone."""
    async with running_stack(database.url, BILLING_AUTH="keys") as stack:
        environment = stack.service.environment
        operator = await create_key_directly(
            environment.store, system_clock_us, PEPPER.encode(), "operator", [Scope.ADMIN]
        )
        async with Wire(stack.service.address, operator) as wire:
            customer_id = await Shop(stack, wire).customer()
            made = await wire.do("CreateApiKey", caller="tenant", scopes=[1, 2, 3], account_ids=["acme"])
        async with Wire(stack.service.address, made.secret) as wire:
            fields = {"account_id": "acme", "stripe_customer_id": customer_id}
            before = await row_counts(database)
            assert await wire.refusal("CreateAccount", **fields, idempotency_key="k") == (
                "PERMISSION_DENIED",
                "ACCOUNT_NOT_ALLOWED",
            )
            assert await row_counts(database) == before
            assert (await wire.do("CreateAccount", account_id="acme")).account.stripe_customer_id == ""


async def test_without_stripe_nothing_is_made_and_the_same_key_resumes(own):
    customer_id = await own.customer(email="ada@example.com")
    before = await row_counts_of(own)
    fault = {"kind": "drop", "when": "before", "count": 30, "method": "GET", "path_prefix": "/v1/customers"}
    await own.stack.control("faults", fault)
    fields = {"account_id": "acme", "stripe_customer_id": customer_id, "idempotency_key": "k"}
    assert await own.wire.refusal("CreateAccount", **fields) == ("UNAVAILABLE", "STRIPE_UNAVAILABLE")
    assert await row_counts_of(own) == before
    (await own.stack.http.delete(f"{own.stack.sandbox_url}/_sandbox/faults")).raise_for_status()
    made = await own.wire.call("CreateAccount", **fields)
    assert (made.account.stripe_customer_id, made.replayed) == (customer_id, False)


async def row_counts_of(shop):
    """Accounts and audit lines: what a call would leave."""
    accounts = (await shop.wire.call("ListAccounts")).accounts
    return len(accounts), len((await shop.wire.call("ListAuditRecords")).records)


async def test_it_becomes_the_accounts_with_its_address_and_name(shop, new_account):
    account_id = new_account()
    customer_id = await shop.customer(**{"email": "ada@example.com", "name": "Ada", "metadata[crm]": "7"})
    made = await shop.wire.do("CreateAccount", account_id=account_id, stripe_customer_id=customer_id)
    account = made.account
    assert (account.stripe_customer_id, account.email, account.name) == (customer_id, "ada@example.com", "Ada")
    at_stripe = await shop.stripe("GET", f"customers/{customer_id}")
    mark = shop.stack.service.environment.deployment.mark("customer", account_id)
    assert at_stripe["metadata"] == {
        "crm": "7",
        "account_id": account_id,
        MARK_FIELD: mark,
        "contact_version": "1",
    }
    assert (at_stripe["email"], at_stripe["name"]) == ("ada@example.com", "Ada")
    [line] = (await shop.wire.call("ListAuditRecords", account_id=account_id)).records
    assert customer_id in str(line)
    await shop.stack.webhooks()
    assert await shop.account(account_id) == account, "the echo of it changes nothing"


async def test_its_purchases_are_the_customers(shop, new_account):
    account_id, customer_id = new_account(), await shop.customer(email="ada@example.com")
    await shop.wire.do("CreateAccount", account_id=account_id, stripe_customer_id=customer_id)
    bought = await shop.stack.buy(account_id)
    session = await shop.stripe("GET", f"checkout/sessions/{bought.checkout_session_id}")
    assert session["customer"] == customer_id
    assert await shop.stack.available(account_id) == 1_000


async def test_what_the_caller_says_goes_to_stripe_and_no_older_event_undoes_it(shop, new_account):
    account_id = new_account()
    customer_id = await shop.customer(email="old@example.com", name="Ada")
    older = (await shop.stripe("GET", "events", limit=1, type="customer.created"))["data"][0]
    assert older["data"]["object"]["id"] == customer_id
    made = await shop.wire.do(
        "CreateAccount", account_id=account_id, stripe_customer_id=customer_id, email="new@example.com"
    )
    assert (made.account.email, made.account.name) == ("new@example.com", "Ada")
    await shop.stack.webhooks()
    # Stripe's words of before, by a clock that runs ahead.
    late = {"id": f"evt_late_{customer_id}", "type": "customer.updated", "created": older["created"] + 3_600}
    await shop.wire.deliver(older | late)
    assert await shop.account(account_id) == made.account
    at_stripe = await shop.stripe("GET", f"customers/{customer_id}")
    assert (at_stripe["email"], at_stripe["name"]) == ("new@example.com", "Ada")


async def test_what_stripe_changes_later_is_taken_over(shop, new_account):
    account_id, customer_id = new_account(), await shop.customer(email="old@example.com")
    await shop.wire.do("CreateAccount", account_id=account_id, stripe_customer_id=customer_id)
    await shop.stack.webhooks()
    await shop.stripe("POST", f"customers/{customer_id}", email="newer@example.com")
    await shop.stack.webhooks()
    assert (await shop.account(account_id)).email == "newer@example.com"
    await shop.stripe("DELETE", f"customers/{customer_id}")
    await shop.stack.webhooks()
    assert (await shop.account(account_id)).stripe_customer_id == ""


async def test_a_repeat_is_answered_as_the_first_call_whatever_became_of_it(shop, new_account):
    fields = {"account_id": new_account(), "stripe_customer_id": await shop.customer(), "idempotency_key": "k"}
    made = await shop.wire.call("CreateAccount", **fields)
    await shop.stripe("DELETE", f"customers/{fields['stripe_customer_id']}")
    await shop.stack.webhooks()
    again = await shop.wire.call("CreateAccount", **fields)
    assert (again.account, again.replayed) == (made.account, True)
    for other in ("", "cus_other"):
        assert await shop.wire.refusal("CreateAccount", **fields | {"stripe_customer_id": other}) == (
            "INVALID_ARGUMENT",
            "IDEMPOTENCY_KEY_REUSED",
        )


async def test_what_stripe_was_not_told_is_sent_by_the_next_purchase(own):
    customer_id = await own.customer(email="old@example.com")
    fault = {"kind": "drop", "when": "before", "count": 30, "method": "POST", "path_prefix": "/v1/customers"}
    await own.stack.control("faults", fault)
    await own.wire.do("CreateAccount", account_id="acme", stripe_customer_id=customer_id, email="new@example.com")
    (await own.stack.http.delete(f"{own.stack.sandbox_url}/_sandbox/faults")).raise_for_status()
    assert (await own.stripe("GET", f"customers/{customer_id}"))["email"] == "old@example.com"
    await own.wire.do("CreatePurchase", account_id="acme", package_code="starter")
    at_stripe = await own.stripe("GET", f"customers/{customer_id}")
    assert (at_stripe["email"], at_stripe["metadata"]["account_id"]) == ("new@example.com", "acme")
