"""Purchases as customers live them: every package, every card, delayed money, expiry, calling off; webhooks behave or
don't."""

import re
from pathlib import Path

import pytest
from prepaid.billing.v1 import purchases_pb2 as wire_pb2

import billing_service.catalogs
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import Wire, key, outcomes

pytestmark = pytest.mark.asyncio(loop_scope="session")

PENDING, AWAITING = wire_pb2.PURCHASE_STATUS_PENDING, wire_pb2.PURCHASE_STATUS_AWAITING_FUNDS
COMPLETED, FAILED = wire_pb2.PURCHASE_STATUS_COMPLETED, wire_pb2.PURCHASE_STATUS_FAILED
EXPIRED, CANCELED = wire_pb2.PURCHASE_STATUS_EXPIRED, wire_pb2.PURCHASE_STATUS_CANCELED
FIVE_TIER = str(Path(billing_service.catalogs.__file__).parent / "five_tier.toml")
NOT_CANCELABLE = ("FAILED_PRECONDITION", "PURCHASE_NOT_CANCELABLE")


async def begin(wire, account_id, **options):
    return (await wire.do("CreatePurchase", account_id=account_id, **({"package_code": "starter"} | options))).purchase


async def standing(wire, purchase):
    return (await wire.call("GetPurchase", purchase_id=purchase.purchase_id)).purchase


@pytest.mark.parametrize(
    ("code", "credits_", "price_minor", "discount"),
    [
        ("starter", 1000, 1000, 0),
        ("standard", 5000, 4500, 10),
        ("pro", 10_000, 8000, 20),
        ("enterprise", 50_000, 35_000, 30),
    ],
)
async def test_each_package(*, stack, wire, new_account, code, credits_, price_minor, discount):
    listed = {package.code: package for package in (await wire.call("ListPackages")).packages}
    assert list(listed) == ["starter", "standard", "pro", "enterprise"]
    shown = listed[code]
    assert (shown.credits_microcredits // CREDIT, shown.price_minor, shown.currency, shown.discount_percent) == (
        credits_,
        price_minor,
        "usd",
        discount,
    )
    account_id = new_account()
    bought = await stack.buy(account_id, code, metadata={"order": "7"})
    assert (bought.status, bought.amount_minor, bought.paid_minor, bought.package_code) == (
        COMPLETED,
        price_minor,
        price_minor,
        code,
    )
    assert dict(bought.metadata) == {"order": "7"}
    assert bought.payment_intent_id.startswith("pi_")
    assert await stack.available(account_id) == credits_
    by_session = (await wire.call("GetPurchase", checkout_session_id=bought.checkout_session_id)).purchase
    assert by_session == bought


async def test_the_second_catalogue(database, new_account):
    async with (
        running_stack(database.url, BILLING_CATALOG_FILE=FIVE_TIER) as stack,
        Wire(stack.service.address) as wire,
    ):
        listed = [
            (p.code, p.credits_microcredits // CREDIT, p.price_minor)
            for p in (await wire.call("ListPackages")).packages
        ]
        assert listed == [
            ("starter", 1000, 1000),
            ("basic", 5500, 4500),
            ("pro", 13_500, 10_000),
            ("business", 35_000, 22_500),
            ("enterprise", 120_000, 70_000),
        ]
        for code, credits_, price_minor in listed:
            account_id = new_account()
            assert (await stack.buy(account_id, code)).paid_minor == price_minor
            assert await stack.available(account_id) == credits_
        told = await wire.refusal("CreatePurchase", account_id=account_id, package_code="standard", idempotency_key="k")
        assert told == ("INVALID_ARGUMENT", "UNKNOWN_PACKAGE")


async def test_custom_amounts_at_their_limits(stack, wire, new_account):
    for amount in (100, 1234, 1_000_000):
        account_id = new_account()
        purchase = (await wire.do("CreatePurchase", account_id=account_id, custom_amount_minor=amount)).purchase
        assert (purchase.package_code, purchase.amount_minor, purchase.credits_microcredits) == (
            "",
            amount,
            amount * CREDIT,
        )
        await stack.pay(purchase.checkout_url)
        await stack.webhooks()
        assert await stack.available(account_id) == amount


async def test_customers_come_back_to_where_the_caller_says(stack, wire, new_account):
    urls = {"success_url": "https://shop.example/ok?s={CHECKOUT_SESSION_ID}", "cancel_url": "https://shop.example/back"}
    chosen = await begin(wire, new_account(), **urls)
    answer = await stack.pay(chosen.checkout_url)
    assert answer.headers["location"] == f"https://shop.example/ok?s={chosen.checkout_session_id}"
    default = await begin(wire, new_account())
    page = await stack.http.get(default.checkout_url)
    assert "http://127.0.0.1:8080/billing/cancel" in page.text
    answer = await stack.pay(default.checkout_url)
    assert (
        answer.headers["location"] == f"http://127.0.0.1:8080/billing/success?session_id={default.checkout_session_id}"
    )


async def test_purchases_are_listed_page_by_page(wire, new_account):
    account_id, other = new_account(), new_account()
    made = [(await begin(wire, account_id)).purchase_id for _ in range(5)]
    await begin(wire, other)
    pages, token = [], ""
    while True:
        page = await wire.call("ListPurchases", account_id=account_id, page_size=2, page_token=token)
        pages.append([purchase.purchase_id for purchase in page.purchases])
        token = page.next_page_token
        if not token:
            break
        told = await wire.refusal("ListPurchases", account_id=other, page_token=token)
        assert told == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert pages == [made[4:2:-1], made[2:0:-1], made[:1]]


@pytest.mark.parametrize("card", ["4000000000000002", "4000000000009995", "4000000000000069"])
async def test_a_declined_card_and_then_a_good_one(stack, wire, new_account, card):
    account_id = new_account()
    purchase = await begin(wire, account_id)
    for _ in range(2):
        assert (await stack.pay(purchase.checkout_url, card)).status_code == 402
    await stack.webhooks()
    assert (await standing(wire, purchase)).status == PENDING
    assert await stack.available(account_id) == 0
    assert (await stack.pay(purchase.checkout_url, "5555555555554444")).status_code == 303
    await stack.webhooks()
    assert await stack.available(account_id) == 1000


@pytest.mark.parametrize(("answer", "available"), [("complete", 1000), ("fail", 0)])
@pytest.mark.parametrize("card", ["4000002760003184", "4000002500003155"])
async def test_three_d_secure(*, stack, wire, new_account, card, answer, available):
    account_id = new_account()
    purchase = await begin(wire, account_id)
    paid = await stack.pay(purchase.checkout_url, card)
    assert re.search(r"/_sandbox/authenticate/pi_\w+$", paid.headers["location"])
    await stack.webhooks()
    assert await stack.available(account_id) == 0
    await stack.http.post(f"{stack.sandbox_url}{paid.headers['location']}", data={"answer": answer})
    await stack.webhooks()
    assert await stack.available(account_id) == available
    assert (await standing(wire, purchase)).status == (COMPLETED if available else PENDING)


@pytest.mark.parametrize(("outcome", "status", "available"), [("succeeded", COMPLETED, 1000), ("failed", FAILED, 0)])
async def test_delayed_money(*, stack, wire, new_account, outcome, status, available):
    account_id = new_account()
    purchase = await begin(wire, account_id)
    assert (await stack.pay(purchase.checkout_url, method="debit")).status_code == 303
    await stack.webhooks()
    assert (await standing(wire, purchase)).status == AWAITING
    assert await stack.available(account_id) == 0
    assert (
        await wire.refusal("CancelPurchase", purchase_id=purchase.purchase_id, idempotency_key=key()) == NOT_CANCELABLE
    )
    await stack.control(f"payments/{purchase.checkout_session_id}/settle", {"outcome": outcome})
    await stack.webhooks()
    assert (await standing(wire, purchase)).status == status
    assert await stack.available(account_id) == available


async def test_called_off(stack, wire, new_account):
    purchase = await begin(wire, new_account())
    done = await wire.call("CancelPurchase", purchase_id=purchase.purchase_id, idempotency_key="k")
    assert (done.purchase.status, done.replayed) == (CANCELED, False)
    assert (await stack.pay(purchase.checkout_url)).status_code == 410
    await stack.webhooks()
    assert (await standing(wire, purchase)).status == CANCELED
    assert (await wire.call("CancelPurchase", purchase_id=purchase.purchase_id, idempotency_key="k")).replayed
    assert await wire.refusal("CancelPurchase", purchase_id=purchase.purchase_id, idempotency_key="l") == NOT_CANCELABLE


async def test_paid_is_not_called_off_although_nobody_told_us_yet(stack, wire, new_account):
    account_id = new_account()
    purchase = await begin(wire, account_id)
    await stack.control("switches", {"delay_s": 0.3})
    await stack.pay(purchase.checkout_url)
    refused = await wire.refusal("CancelPurchase", purchase_id=purchase.purchase_id, idempotency_key=key())
    await stack.control("switches", {"delay_s": 0})
    assert refused == NOT_CANCELABLE
    await stack.webhooks()
    assert await stack.available(account_id) == 1000


async def test_expired(stack, wire, new_account):
    purchase = await begin(wire, new_account())
    await stack.control(f"sessions/{purchase.checkout_session_id}/expire")
    await stack.webhooks()
    assert (await standing(wire, purchase)).status == EXPIRED
    assert (
        await wire.refusal("CancelPurchase", purchase_id=purchase.purchase_id, idempotency_key=key()) == NOT_CANCELABLE
    )


@pytest.mark.parametrize(
    "switches", [{"duplicate": True}, {"reorder": True}, {"delay_s": 0.2}, {"duplicate": True, "reorder": True}]
)
async def test_credits_arrive_once_whatever_webhooks_do(stack, wire, new_account, switches):
    accounts = [new_account() for _ in range(3)]
    await stack.control("switches", switches)
    try:
        pages = [(await begin(wire, account_id)).checkout_url for account_id in accounts]
        await outcomes(*(stack.pay(page) for page in pages))
        await stack.webhooks()
    finally:
        await stack.control("switches", {"duplicate": False, "reorder": False, "delay_s": 0})
    assert [await stack.available(account_id) for account_id in accounts] == [1000] * 3
    for account_id in accounts:
        rows = (await wire.call("ListTransactions", account_id=account_id)).transactions
        assert [row.amount_microcredits for row in rows] == [1000 * CREDIT]
