"""A product whose webhooks the test delivers itself: the sandbox makes the events and never gets round to sending
them."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.stack import CREDIT, STRIPE_KEY, running_stack
from tests.support.wire import Wire

NEVER_S = 3600
PENDING_REFUND_CARD = "4000000000007726"


@dataclass
class WebhooksWithheld:
    """A running product and the events that nobody delivered yet."""

    stack: object
    wire: Wire
    seen: set = field(default_factory=set)

    async def stripe(self, method, path, **form):
        """A call to Stripe's API as its Dashboard makes it."""
        url, authorization = f"{self.stack.sandbox_url}/v1/{path}", {"Authorization": f"Bearer {STRIPE_KEY}"}
        how = {"params": form} if method == "GET" else {"data": form}
        answer = await self.stack.http.request(method, url, headers=authorization, **how)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def events(self, *wanted):
        """What happened at Stripe since the last time, oldest first; `wanted` types alone."""
        listed = (await self.stripe("GET", "events", limit=40))["data"]
        fresh = [event for event in reversed(listed) if event["id"] not in self.seen]
        self.seen.update(event["id"] for event in fresh)
        return [event for event in fresh if event["type"] in wanted]

    async def paid_checkout(self, account_id, *, card=PENDING_REFUND_CARD, granted=100, **fields):
        """A checkout that was paid, of an account that was given a few credits; the service knows nothing of the
        payment."""
        if granted:
            await self.wire.do(
                "GrantCredits", account_id=account_id, amount_microcredits=granted * CREDIT, reason="gift"
            )
        made = (await self.wire.do("CreatePurchase", account_id=account_id, package_code="starter")).purchase
        await self.events()
        answer = await self.stack.pay(made.checkout_url, card, **fields)
        assert answer.status_code == 303, answer.text
        return made

    async def payment_intent(self, purchase):
        return (await self.stripe("GET", f"checkout/sessions/{purchase.checkout_session_id}"))["payment_intent"]

    async def ends(self, account_id, purchase):
        """Where an account and its purchase ended, as a caller sees it."""
        balance = (await self.wire.call("GetBalance", account_id=account_id)).balance
        sold = (await self.wire.call("GetPurchase", purchase_id=purchase.purchase_id)).purchase
        rows = (await self.wire.call("ListTransactions", account_id=account_id, page_size=1000)).transactions
        return {
            "status": sold.status,
            "available": balance.available_microcredits // CREDIT,
            "frozen": balance.frozen_microcredits // CREDIT,
            "debt": balance.debt_microcredits // CREDIT,
            "statement": sum(row.amount_microcredits for row in rows) // CREDIT,
            "refunded": sold.refunded_minor,
            "reversed": sold.reversed_microcredits // CREDIT,
            "paid": sold.paid_minor,
        }


@asynccontextmanager
async def webhooks_withheld(database_url, **settings):
    async with running_stack(database_url, **settings) as stack, Wire(stack.service.address) as wire:
        await stack.control("switches", {"delay_s": NEVER_S})
        yield WebhooksWithheld(stack, wire)
        report = await stack.client.verify_ledger()
        assert not report.differences, report.differences
