"""The story of the demo. Each step checks what it prints: a wrong value ends it."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from billing_client import MICROCREDITS_PER_CREDIT, AsyncBillingClient, PurchaseStatus, RefundStatus
from billing_client.errors import InsufficientCredits
from prepaid.billing.v1.purchases_pb2 import DISPUTE_STATUS_WON, PURCHASE_STATUS_COMPLETED, Purchase
from prepaid.billing.v1.referrals_pb2 import REFERRAL_STATE_REVERSED, REFERRAL_STATE_REWARDED, Referral

from billing_service.cli.amounts import shown_credits, shown_money
from billing_service.cli.demo_ledger import look_back
from billing_service.cli.demo_session import stream_until_the_end
from billing_service.cli.display import console, plain, shown_enum
from billing_service.cli.times import shown_time

GOOD_CARD = "4242424242424242"
DECLINED_CARD = "4000000000000002"
DISPUTING_CARD = "4000000000000259"
TEST_KEY = "sk_" + "test_" + "demo"
"""The sandbox takes any test key."""
ARRIVES_WITHIN_S = 15.0
POLL_INTERVAL_S = 0.05
COST = 12_345_678
"""12.345678 credits: usage is priced finer than a credit."""


class StoryFailedError(Exception):
    """A step came out otherwise than the story says."""


class Story:
    """Two friends, one product."""

    def __init__(self, client: AsyncBillingClient, http: httpx.AsyncClient, sandbox_url: str) -> None:
        self._client = client
        self._http = http
        self._sandbox_url = sandbox_url
        tag = secrets.token_hex(3)
        self._ada, self._ben, self._cyd, self._dan = (f"{name}-{tag}" for name in ("ada", "ben", "cyd", "dan"))

    async def tell(self) -> None:
        """Raises StoryFailedError, BillingError, httpx.HTTPError."""
        await self._meet()
        purchase = await self._buy()
        await self._spend()
        _chapter("Cyd streams an answer until the money ends")
        await stream_until_the_end(self._client, self._cyd, _check, _done)
        await self._refund(purchase)
        await self._refund_in_dashboard()
        await self._dispute()
        _chapter("What the ledger says")
        await look_back(self._client, self._ben, _check, _done, _detail)

    async def _meet(self) -> None:
        _chapter("Two customers")
        ada = (await self._client.create_account(account_id=self._ada, email="ada@example.com", name="Ada")).account
        ben = (await self._client.create_account(account_id=self._ben, email="ben@example.com", name="Ben")).account
        _done(f"accounts {ada.account_id} and {ben.account_id}")
        bond = (await self._client.apply_referral(account_id=self._ben, referral_code=ada.referral_code)).referral
        _check("the referrer", bond.referrer_account_id, self._ada)
        bonus = shown_credits(bond.bonus_microcredits)
        _done(f"Ben signed up with Ada's code {ada.referral_code}: {bonus} credits for each of them once he buys")

    async def _buy(self) -> Purchase:
        _chapter("Ben buys credits on the checkout page")
        on_sale = (await self._client.list_packages()).packages
        for package in on_sale:
            price = shown_money(package.price_minor, package.currency)
            discount = f"  -{package.discount_percent} %" if package.discount_percent else ""
            _detail(f"{package.code:<12}{shown_credits(package.credits_microcredits):>8} credits {price:>12}{discount}")
        purchase = (await self._client.create_purchase(account_id=self._ben, package_code=on_sale[0].code)).purchase
        await self._stay_in_sandbox(purchase)
        _done(
            f"purchase {purchase.purchase_id} is {shown_enum(PurchaseStatus, purchase.status)}; a person would now open"
        )
        _detail(purchase.checkout_url)
        declined = await self._pay(purchase, DECLINED_CARD)
        _check("the page's answer to a declined card", declined.status_code, httpx.codes.PAYMENT_REQUIRED)
        _check("Ben's credits", await self._available(self._ben), 0)
        _done("card 4000 0000 0000 0002 was declined: no money, no credits")
        purchase = await self._pay_and_wait(purchase)
        _done(
            f"card 4242 4242 4242 4242 paid {shown_money(purchase.paid_minor, purchase.currency)}; Stripe's signed "
            f"webhook completed the purchase"
        )
        bond = await self._client.get_referral(account_id=self._ben)
        _check("the referral's state", bond.referral.state, REFERRAL_STATE_REWARDED)
        bonus = bond.referral.bonus_microcredits
        waits = _waits(bond.referral, purchase)
        spendable = 0 if waits else bonus
        _check("Ben's credits", await self._available(self._ben), purchase.credits_microcredits + spendable)
        _check("Ada's credits", await self._available(self._ada), spendable)
        when = f", spendable from {shown_time(bond.referral.reward_time)} on" if waits else ""
        bought = shown_credits(purchase.credits_microcredits)
        _done(
            f"Ben has {bought} bought + {shown_credits(bonus)} bonus credits, Ada a bonus of "
            f"{shown_credits(bonus)}{when}"
        )
        return purchase

    async def _spend(self) -> None:
        _chapter("Ben's requests to the model cost credits")
        before = await self._available(self._ben)
        key = f"request-{secrets.token_hex(6)}"
        first = await self._client.deduct_credits(
            account_id=self._ben, amount_microcredits=COST, idempotency_key=key, description="one answer"
        )
        _check("what is left", first.balance.available_microcredits, before - COST)
        _done(
            f"deducted {shown_credits(COST)} credits ({first.transaction_id}), "
            f"{shown_credits(first.balance.available_microcredits)} left"
        )
        again = await self._client.deduct_credits(
            account_id=self._ben, amount_microcredits=COST, idempotency_key=key, description="one answer"
        )
        _check("the repeated call's transaction", (again.transaction_id, again.replayed), (first.transaction_id, True))
        _check("what is left", await self._available(self._ben), before - COST)
        _done("the same call again, as after a lost connection: the same answer, replayed; nothing was deducted twice")
        too_much = before + 1_000 * MICROCREDITS_PER_CREDIT
        try:
            await self._client.deduct_credits(account_id=self._ben, amount_microcredits=too_much)
        except InsufficientCredits as refused:
            _check("the shortfall", refused.shortfall_microcredits, too_much - (before - COST))
            _done(
                f"{shown_credits(too_much)} credits were refused: {refused.reason}, short by "
                f"{shown_credits(refused.shortfall_microcredits)}"
            )
        else:
            raise StoryFailedError("more than there is was deducted")
        undone = await self._client.reverse_deduction(
            account_id=self._ben, transaction_id=first.transaction_id, reason="no answer came"
        )
        _check("what is back", undone.balance.available_microcredits, before)
        _done(
            f"the answer failed: all {shown_credits(undone.reversed_microcredits)} credits are back where they "
            f"came from"
        )

    async def _refund(self, purchase: Purchase) -> None:
        _chapter("Ben wants part of his money back")
        quote = await self._client.quote_refund(purchase_id=purchase.purchase_id)
        _check("what is refundable", quote.refundable_minor, purchase.paid_minor)
        _done(f"quote: {shown_money(quote.refundable_minor, quote.currency)} refundable, as nothing of it is spent")
        before = await self._available(self._ben)
        part = purchase.paid_minor * 2 // 5
        answer = await self._client.refund(purchase_id=purchase.purchase_id, amount_minor=part, reason="too many")
        taken = purchase.credits_microcredits * part // purchase.paid_minor
        _check("the credits taken back", answer.refund.reversed_microcredits, taken)
        bond = await self._client.get_referral(account_id=self._ben)
        fell = bond.referral.state == REFERRAL_STATE_REVERSED
        bonus = bond.referral.bonus_microcredits if fell else 0
        _check("the bonus taken back", answer.refund.bonus_microcredits, bonus)
        _check(
            "what is left",
            await self._available(self._ben),
            before - taken - (0 if _waits(bond.referral, purchase) else bonus),
        )
        status = shown_enum(RefundStatus, answer.refund.status)
        _done(
            f"refunded {shown_money(part, purchase.currency)} ({answer.refund.stripe_refund_id} {status}), "
            f"{shown_credits(taken)} credits went back"
        )
        if fell:
            _done(
                f"less stays paid than earns a bonus: his {shown_credits(bonus)} bonus credits and Ada's went back too"
            )

    async def _refund_in_dashboard(self) -> None:
        _chapter("Ada buys $5 worth, and support refunds $2 in Stripe's Dashboard")
        purchase = (await self._client.create_purchase(account_id=self._ada, custom_amount_minor=500)).purchase
        purchase = await self._pay_and_wait(purchase)
        before = await self._available(self._ada)
        _done(
            f"{shown_money(purchase.paid_minor, purchase.currency)} brought "
            f"{shown_credits(purchase.credits_microcredits)} credits, {shown_credits(before)} in all"
        )
        await self._at_stripe("refunds", {"payment_intent": purchase.payment_intent_id, "amount": "200"})
        taken = purchase.credits_microcredits * 200 // purchase.paid_minor
        await self._until(self._ada, before - taken, "the refund made in the Dashboard")
        _done(
            f"nobody called the service: the webhook alone took {shown_credits(taken)} credits back, "
            f"{shown_credits(before - taken)} left"
        )

    async def _dispute(self) -> None:
        _chapter("Dan pays, and his bank disputes it")
        purchase = (await self._client.create_purchase(account_id=self._dan, custom_amount_minor=500)).purchase
        purchase = await self._pay_and_wait(purchase, DISPUTING_CARD)
        await self._until(self._dan, 0, "the dispute's webhook")
        read = await self._client.get_purchase(purchase_id=purchase.purchase_id)
        _check("the money that is out", read.purchase.disputed_minor, purchase.paid_minor)
        taken = shown_credits(purchase.credits_microcredits)
        out = shown_money(read.purchase.disputed_minor, purchase.currency)
        _done(f"Stripe withdrew {out}, and the webhook took all {taken} credits back")
        await self._at_stripe(
            f"disputes/{read.disputes[0].dispute_id}", {"evidence[uncategorized_text]": "winning_evidence"}
        )
        await self._until(self._dan, purchase.credits_microcredits, "the money's return")
        read = await self._client.get_purchase(purchase_id=purchase.purchase_id)
        _check("the dispute's state", read.disputes[0].status, DISPUTE_STATUS_WON)
        _done(f"the evidence won: the money is back, and so are all {taken} credits")

    async def _until(self, account_id: str, microcredits: int, what: str) -> None:
        """What an account has. No event tells of it: the service may be another process."""
        async with _within(ARRIVES_WITHIN_S, what):
            while await self._available(account_id) != microcredits:  # noqa: ASYNC110
                await asyncio.sleep(POLL_INTERVAL_S)

    async def _at_stripe(self, path: str, form: dict[str, str]) -> None:
        headers = {"Authorization": f"Bearer {TEST_KEY}"}
        (await self._http.post(f"{self._sandbox_url}/v1/{path}", data=form, headers=headers)).raise_for_status()

    async def _stay_in_sandbox(self, purchase: Purchase) -> None:
        if not purchase.checkout_url.startswith(self._sandbox_url):
            await self._client.cancel_purchase(purchase_id=purchase.purchase_id)
            raise StoryFailedError(
                f"the service's checkout page is not the sandbox's at {self._sandbox_url}; the purchase was called off"
            )

    async def _pay(self, purchase: Purchase, card: str) -> httpx.Response:
        form = {
            "email": "ben@example.com",
            "method": "card",
            "number": card,
            "expiry": f"12/{time.gmtime().tm_year + 3}",
            "cvc": "123",
            "name": "B. Buyer",
        }
        return await self._http.post(purchase.checkout_url, data=form, follow_redirects=False)

    async def _pay_and_wait(self, purchase: Purchase, card: str = GOOD_CARD) -> Purchase:
        paid = await self._pay(purchase, card)
        _check("the page's answer to a good card", paid.status_code, httpx.codes.SEE_OTHER)
        async with _within(ARRIVES_WITHIN_S, "the webhook that completes the purchase"):
            while purchase.status != PURCHASE_STATUS_COMPLETED:
                await asyncio.sleep(POLL_INTERVAL_S)
                purchase = (await self._client.get_purchase(purchase_id=purchase.purchase_id)).purchase
        return purchase

    async def _available(self, account_id: str) -> int:
        return (await self._client.get_balance(account_id=account_id)).balance.available_microcredits


@asynccontextmanager
async def _within(timeout_s: float, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise StoryFailedError(f"{what} did not arrive within {timeout_s:.0f} s") from None


def _waits(referral: Referral, purchase: Purchase) -> bool:
    """Whether the bonuses were not spendable at once."""
    return referral.reward_time.ToMicroseconds() > purchase.complete_time.ToMicroseconds()


def _check(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise StoryFailedError(f"{what}: expected {expected}, found {found}")


def _chapter(title: str) -> None:
    console().print(f"\n[bold]{title}[/bold]")


def _done(text: str) -> None:
    console().print(plain("  ✓ ").append_text(plain(text)), soft_wrap=True)


def _detail(text: str) -> None:
    console().print(plain(f"      {text}"), soft_wrap=True, style="dim")
