"""A busy day whose webhooks are lost, doubled, turned round and of older shapes. A comparison with Stripe is killed in
the middle and made again: it ends at the ledger of a day on which nothing went wrong."""

import random
from contextlib import AsyncExitStack

import httpx
import pytest
from billing_client import AsyncBillingClient
from billing_client.errors import Failure
from prepaid.billing.v1.reconciling_pb2 import FindingKind

from billing_service.sandbox.config import SandboxConfig
from billing_service.sandbox.run import serve_sandbox
from tests.support.run_length import LONG
from tests.support.service_process import running_process, service_settings
from tests.support.stack import AUTHORITIES, CARD, STRIPE_KEY
from tests.support.wire import Wire

CUSTOMERS = 200 if LONG else 28
LOST = 0.2
DISPUTED, PENDING_REFUND = "4000000000000259", "4000000000007726"
STORIES = ("paid", "refunded there", "disputed", "expired", "funds came", "funds failed", "refund failed")


class Day:
    """What customers and the Dashboard do at a sandbox that delivers nothing by itself."""

    def __init__(self, sandbox_url, http, client, name):
        self._url, self._http, self._client, self._name = sandbox_url, http, client, name
        self.made = []

    async def pass_by(self):
        for number in range(CUSTOMERS):
            account_id = f"{self._name}-{number:03}"
            made = await self._client.create_purchase(account_id=account_id, package_code="starter")
            self.made.append((account_id, made.purchase))
            await getattr(self, f"_{STORIES[number % len(STORIES)].replace(' ', '_')}")(made.purchase)

    async def _pay(self, purchase, **fields):
        form = {"email": "a@example.com", "method": "card", "number": CARD, "expiry": "12/39", "cvc": "123"}
        form |= {"name": "Ada", **fields}
        answer = await self._http.post(purchase.checkout_url, data=form, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        return (await self._stripe("GET", f"checkout/sessions/{purchase.checkout_session_id}"))["payment_intent"]

    async def _stripe(self, method, path, **form):
        how = {"params": form} if method == "GET" else {"data": form}
        headers = {"Authorization": f"Bearer {STRIPE_KEY}"}
        answer = await self._http.request(method, f"{self._url}/v1/{path}", headers=headers, **how)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def _control(self, path, **body):
        (await self._http.post(f"{self._url}/_sandbox/{path}", json=body)).raise_for_status()

    async def _paid(self, purchase):
        await self._pay(purchase)

    async def _refunded_there(self, purchase):
        intent = await self._pay(purchase)
        for amount in ("100", "50"):
            await self._stripe("POST", "refunds", payment_intent=intent, amount=amount)

    async def _disputed(self, purchase):
        await self._pay(purchase, number=DISPUTED)

    async def _expired(self, purchase):
        await self._control(f"sessions/{purchase.checkout_session_id}/expire")

    async def _funds_came(self, purchase):
        await self._control(f"payments/{await self._pay(purchase, method='debit')}/settle", outcome="succeeded")

    async def _funds_failed(self, purchase):
        await self._control(f"payments/{await self._pay(purchase, method='debit')}/settle", outcome="failed")

    async def _refund_failed(self, purchase):
        intent = await self._pay(purchase, number=PENDING_REFUND)
        refund = await self._stripe("POST", "refunds", payment_intent=intent, amount="300")
        await self._control(f"refunds/{refund['id']}/settle", status="failed")

    async def events(self):
        """All of them, the oldest first."""
        found, after = [], {}
        while True:
            page = await self._stripe("GET", "events", limit="100", **after)
            found += page["data"]
            if not page["has_more"]:
                return found[::-1]
            after = {"starting_after": found[-1]["id"]}

    async def ends(self):
        """Where each customer ended."""
        found = []
        for account_id, made in self.made:
            sold = (await self._client.get_purchase(purchase_id=made.purchase_id)).purchase
            balance = (await self._client.get_balance(account_id=account_id)).balance
            moved = (await self._client.list_transactions(account_id=account_id)).transactions
            found.append(
                (
                    sold.status,
                    sold.paid_minor,
                    sold.refunded_minor,
                    sold.disputed_minor,
                    sold.reversed_microcredits,
                    list(sold.flags),
                    balance.available_microcredits,
                    balance.debt_microcredits,
                    sum(row.amount_microcredits for row in moved),
                )
            )
        return found


def older(event):
    """The same in the shape of years ago: a session without status, objects expanded, fields that did not exist."""
    about = dict(event["data"]["object"])
    match about["object"]:
        case "checkout.session":
            del about["status"]
        case "payment_intent":
            del about["amount_received"]
        case "refund":
            about["payment_intent"] = {"id": about["payment_intent"], "object": "payment_intent"}
        case "dispute":
            about.pop("payment_method_details", None)
    return event | {"data": {"object": about}, "api_version": "2018-11-08"}


async def delivered_badly(wire, events, chance):
    """A fifth never comes; the rest comes in any order, some twice, some in older shapes."""
    arrive = [event for event in events if chance.random() >= LOST]
    assert len(arrive) < len(events)
    arrive += chance.sample(arrive, k=len(arrive) // 5)
    chance.shuffle(arrive)
    for event in arrive:
        await wire.deliver_until_taken(older(event) if chance.random() < 0.3 else event)


async def reconciled(client, timeout_s=30):
    return [
        FindingKind.Name(each.kind)
        async for part in client.reconcile(dry_run=False, reason="lost", timeout_s=timeout_s)
        for each in part.findings
    ]


async def killed_in_the_middle(service, chance):
    """Some parts of a comparison, and then the process is gone."""
    async with AsyncBillingClient(service.address) as client:
        parts = client.reconcile(dry_run=False, reason="lost", timeout_s=0.2)
        for _ in range(chance.randrange(1, 5)):
            await anext(parts)
        await service.kill()
        with pytest.raises(Failure):
            await reconciled(client, timeout_s=0.2)
        await parts.aclose()
    await service.start()


@pytest.mark.timeout(300)
async def test_a_killed_comparison_ends_at_the_undisturbed_ledger(database, forker, tmp_path, seed):
    chance = random.Random(seed)
    async with AsyncExitStack() as running:
        sandbox_url = await running.enter_async_context(serve_sandbox(SandboxConfig()))
        http = await running.enter_async_context(httpx.AsyncClient(timeout=20, verify=AUTHORITIES))
        often = {"BILLING_RECONCILE_REQUESTS_PER_S": "100", "BILLING_RECONCILE_INTERVAL_S": "0"}
        settings = service_settings(database, sandbox_url, **often)
        service = await running.enter_async_context(running_process(forker, settings, tmp_path / "log"))
        wire = await running.enter_async_context(Wire(service.address))
        client = await running.enter_async_context(AsyncBillingClient(service.address))
        good, bad = (Day(sandbox_url, http, client, name) for name in ("good", "bad"))
        await good.pass_by()
        told = await good.events()
        for event in told:
            await wire.deliver_until_taken(event)
        undisturbed = await good.ends()
        await bad.pass_by()
        await delivered_badly(wire, (await bad.events())[len(told) :], chance)
        assert await bad.ends() != undisturbed, "the losses are felt"
        await killed_in_the_middle(service, chance)
        await reconciled(client)
        assert await reconciled(client) == []
        assert await bad.ends() == undisturbed == await good.ends()
        assert not (await client.verify_ledger()).differences
    assert len({status for status, *_ in undisturbed}) >= 3, "stories of several ends"
