"""UpdateAccount: what an account is known by, changed here and at Stripe, and never undone by what Stripe said
before."""

import asyncio
import json
import re

import pytest
import pytest_asyncio

from billing_service.api import validation
from tests.end_to_end.event_changes import changed
from tests.end_to_end.lasting_stripe import hasty
from tests.support.stack import STRIPE_KEY, running_stack
from tests.support.wire import Wire, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

UPDATED = "customer.updated"


@pytest.fixture(autouse=True)
def _hasty_sdk(monkeypatch):
    hasty(monkeypatch)


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

    async def update(self, account_id="acme", **fields):
        return await self.wire.do("UpdateAccount", account_id=account_id, **fields)

    async def account(self, account_id="acme"):
        return (await self.wire.call("GetAccount", account_id=account_id)).account

    async def customer(self, account_id="acme"):
        """(e-mail, name) of the account's customer at Stripe."""
        found = await self.stripe("GET", f"customers/{(await self.account(account_id)).stripe_customer_id}")
        return found["email"], found["name"]

    async def here(self, account_id="acme"):
        found = await self.account(account_id)
        return found.email, found.name

    async def newest_event(self, kind=UPDATED):
        events = (await self.stripe("GET", "events", limit=100, type=kind))["data"]
        return events[0]

    async def broken(self, path, **options):
        fault = {"kind": "drop", "when": "before", "count": 30, "method": "POST", "path_prefix": path} | options
        await self.stack.control("faults", fault)

    async def mended(self):
        (await self.stack.http.delete(f"{self.stack.sandbox_url}/_sandbox/faults")).raise_for_status()


@pytest_asyncio.fixture(loop_scope="session")
async def shop(database):
    async with running_stack(database.url, STRIPE_TIMEOUT_S="0.5") as stack, Wire(stack.service.address) as wire:
        await wire.do(
            "CreateAccount",
            account_id="acme",
            email="ada@example.com",
            name="Ada",
            metadata={"plan": "free", "seat": "1"},
        )
        yield Shop(stack, wire)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"email": "bea@example.com"}, ("bea@example.com", "Ada", {"plan": "free", "seat": "1"})),
        ({"name": "Bea"}, ("ada@example.com", "Bea", {"plan": "free", "seat": "1"})),
        ({"email": ""}, ("", "Ada", {"plan": "free", "seat": "1"})),
        ({"name": ""}, ("ada@example.com", "", {"plan": "free", "seat": "1"})),
        ({"metadata": {"entries": {"plan": "gold"}}}, ("ada@example.com", "Ada", {"plan": "gold"})),
        ({"metadata": {}}, ("ada@example.com", "Ada", {})),
        ({"email": "ada@example.com", "name": "Ada"}, ("ada@example.com", "Ada", {"plan": "free", "seat": "1"})),
        ({"email": "", "name": "", "metadata": {}}, ("", "", {})),
    ],
)
async def test_what_is_sent_is_changed_and_nothing_else(shop, fields, expected):
    before = await shop.account()
    answer = await shop.update(**fields, idempotency_key="k")
    after = await shop.account()
    assert (answer.account, answer.replayed) == (after, False)
    assert (after.email, after.name, dict(after.metadata)) == expected
    before.email, before.name = after.email, after.name
    before.metadata.clear()
    before.metadata.update(after.metadata)
    assert after == before, "nothing else is changed"
    assert await shop.customer() == tuple(part or None for part in expected[:2])
    await shop.stack.webhooks()
    assert await shop.account() == after, "the echo of it changes nothing"
    again = await shop.wire.call("UpdateAccount", account_id="acme", **fields, idempotency_key="k")
    assert (again.account, again.replayed) == (after, True)
    [line] = [
        line
        for line in (await shop.wire.call("ListAuditRecords", account_id="acme")).records
        if line.method == "UpdateAccount"
    ]
    assert json.loads(line.detail) == {"changed": [part for part in ("email", "name", "metadata") if part in fields]}


async def test_what_stripe_said_before_undoes_nothing(shop):
    await shop.stripe("POST", f"customers/{(await shop.account()).stripe_customer_id}", name="Older")
    await shop.stack.webhooks()
    older = await shop.newest_event()
    await shop.update(email="bea@example.com", name="Bea")
    await shop.stack.webhooks()
    echo = await shop.newest_event()
    assert echo["data"]["object"]["email"] == "bea@example.com"
    await shop.update(email="cyd@example.com", name="Cyd")
    for number, (event, later_s) in enumerate([(older, 0), (older, 5), (echo, 0), (echo, 0), (echo, 7)]):
        assert await shop.wire.deliver(changed(event, number, created=event["created"] + later_s)) in (
            "IGNORED",
            "PROCESSED",
        )
        assert await shop.here() == ("cyd@example.com", "Cyd"), number
    await shop.stack.webhooks()
    assert await shop.here() == await shop.customer() == ("cyd@example.com", "Cyd")


async def test_what_the_dashboard_says_later_counts(shop):
    await shop.update(name="Bea")
    await shop.stack.webhooks()
    await shop.stripe(
        "POST", f"customers/{(await shop.account()).stripe_customer_id}", name="Dashboard", email="dash@example.com"
    )
    await shop.stack.webhooks()
    assert await shop.here() == await shop.customer() == ("dash@example.com", "Dashboard")


async def left_behind(shop):
    """An update that Stripe was not told of."""
    await shop.stack.webhooks()
    await shop.broken("/v1/customers")
    answer = await shop.wire.call("UpdateAccount", account_id="acme", email="bea@example.com", idempotency_key="k")
    assert answer.account.email == "bea@example.com"
    await shop.mended()
    assert (await shop.customer())[0] == "ada@example.com"


async def test_a_repeat_tells_stripe_again(shop):
    await left_behind(shop)
    assert (
        await shop.wire.call("UpdateAccount", account_id="acme", email="bea@example.com", idempotency_key="k")
    ).replayed
    assert await shop.customer() == ("bea@example.com", "Ada")


async def test_the_next_purchase_tells_stripe_again(shop):
    await left_behind(shop)
    await shop.stack.buy("acme")
    assert await shop.customer() == await shop.here() == ("bea@example.com", "Ada")


async def test_the_next_event_of_the_customer_tells_stripe_again(shop):
    await left_behind(shop)
    await shop.stripe("POST", f"customers/{(await shop.account()).stripe_customer_id}", phone="123")
    await shop.stack.webhooks()
    assert await shop.customer() == await shop.here() == ("bea@example.com", "Ada")
    await shop.stack.webhooks()
    assert await shop.here() == ("bea@example.com", "Ada")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_update_while_the_customer_could_not_be_made(shop, when):
    """The customer that Stripe made unheard has the older address; whichever is linked gets the newer one."""
    if when == "after":
        await shop.broken("/v1/customers", when="after", count=1)
    await shop.broken("/v1/customers")
    await shop.wire.do("CreateAccount", account_id="bob", email="old@example.com")
    await shop.update("bob", email="new@example.com")
    await shop.mended()
    await shop.stack.buy("bob")
    await shop.stack.webhooks()
    assert await shop.here("bob") == ("new@example.com", "")
    assert await shop.customer("bob") == ("new@example.com", None)


async def test_an_update_while_the_customer_is_made(shop):
    """The customer is made of the older address, and known to be behind."""
    await shop.wire.do("GrantCredits", account_id="bob", amount_microcredits=1, reason="gift")
    await shop.update("bob", email="old@example.com")
    await shop.stack.control("switches", {"delay_s": 3_600})
    await shop.broken("/v1/customers", kind="hang", when="before", count=1, seconds=0.3)
    buying = asyncio.create_task(shop.wire.do("CreatePurchase", account_id="bob", package_code="starter"))
    for _ in range(200):  # until Stripe is asked for the customer, which comes after the purchase's row
        if (await shop.wire.call("ListPurchases", account_id="bob")).purchases:
            break
    await shop.update("bob", email="new@example.com")
    await buying
    await shop.wire.do("CreatePurchase", account_id="bob", package_code="starter")
    assert await shop.customer("bob") == ("new@example.com", None)
    assert await shop.here("bob") == ("new@example.com", "")


@pytest.fixture
def anything_goes(monkeypatch):
    """A rule that takes what Stripe refuses."""

    def switch():
        monkeypatch.setattr(validation, "_EMAIL", re.compile(r"[^@\s]+@[^@\s]+"))

    return switch


async def test_an_address_that_stripe_refuses_leaves_none_there_and_stops_no_purchase(shop, anything_goes):
    """Receipts to the address before would go to somebody else by now."""
    await shop.stack.webhooks()
    anything_goes()
    assert (await shop.update(email="a@b")).account.email == "a@b"
    assert await shop.customer() == (None, "Ada")
    await shop.stack.webhooks()
    assert await shop.here() == ("a@b", "Ada"), "nor does its echo"
    await shop.stack.buy("acme")
    assert await shop.stack.available("acme") == 1_000
    await shop.update(email="bea@example.com")
    assert await shop.customer() == await shop.here() == ("bea@example.com", "Ada")


async def test_an_older_account_that_stripe_refused_gets_its_customer_once_mended(shop, anything_goes):
    anything_goes()
    await shop.wire.do("CreateAccount", account_id="bob", email="a@b")
    assert (await shop.account("bob")).stripe_customer_id == ""
    await shop.update("bob", email="bob@example.com")
    await shop.stack.buy("bob")
    assert await shop.customer("bob") == ("bob@example.com", None)


async def test_nothing_is_made_or_changed_by_a_refusal(shop):
    for account_id, fields, reason in (
        ("nobody", {"name": "N"}, "ACCOUNT_NOT_FOUND"),
        ("acme", {}, "INVALID_FIELD"),
        ("acme", {"email": "a@b", "name": "N"}, "INVALID_FIELD"),
        ("acme", {"name": "N" * 257}, "INVALID_FIELD"),
        ("acme", {"metadata": {"entries": {"": "v"}}, "name": "N"}, "INVALID_FIELD"),
    ):
        refused = await shop.wire.error("UpdateAccount", account_id=account_id, **fields, idempotency_key="k")
        assert told(refused)[1] == reason, fields
    assert await shop.here() == await shop.customer() == ("ada@example.com", "Ada")
    assert (await shop.wire.error("GetAccount", account_id="nobody")).reason == "ACCOUNT_NOT_FOUND"
