"""No answer depends on another tenant's data: one random history, alone and then amid the traffic of others, is
answered alike.

The others use the same idempotency keys, on accounts of their own, and share transactions with it.
"""

import asyncio
import os
import random
import re

import pytest
from billing_client.errors import BillingError
from google.protobuf.json_format import MessageToDict
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_COMPLETED as COMPLETED

from tests.support.stack import CREDIT, running_stack
from tests.support.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG = os.environ.get("BILLING_LONG_TESTS") == "1"
OPERATIONS = 2_000 if LONG else 150
OTHERS = 6
ID = re.compile(r"\b(txn|lot|pur|rfd|ref|re|cs|cs_test|pi|ch|cus|evt|aud)_\w+")
WEIGHTS = {
    "deduct": 30,
    "grant": 10,
    "balance": 12,
    "statement": 8,
    "reverse": 8,
    "adjust": 4,
    "freeze": 3,
    "overdraft": 2,
    "repeat": 10,
    "buy": 1,
    "list": 3,
    "refund": 3,
    "quote": 3,
    "audit": 2,
    "account": 3,
    "refer": 2,
    "unknown": 2,
}


class Tenant:
    """Two accounts and a history of requests that chance draws; `answers` are free of what may differ: ids, times,
    tokens."""

    def __init__(self, stack, wire, name, seed):
        self._stack = stack
        self._wire = wire
        self.accounts = [f"{name}-1", f"{name}-2"]
        self._chance = random.Random(seed)
        self._ids = {}
        self._deductions = {account_id: [] for account_id in self.accounts}
        self._purchases = []
        self._codes = []
        self._sent = []
        self.answers = []

    async def run(self, operations):
        for account_id in self.accounts:
            await self._ask("CreateAccount", account_id=account_id, name="Somebody")
            await self._ask(
                "GrantCredits", account_id=account_id, amount_microcredits=500 * CREDIT, category=1, reason="start"
            )
            self._codes.append((await self._wire.call("GetReferral", account_id=account_id)).referral_code)
        for kind in self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=operations):
            await getattr(self, f"_{kind}")(self._chance.choice(self.accounts))

    async def _ask(self, rpc, *, keyed=True, **fields):
        """One call, and its answer or refusal among the answers."""
        if keyed:
            fields["idempotency_key"] = f"key-{len(self._sent)}"
            self._sent.append((rpc, fields))
        return await self._send(rpc, fields)

    async def _send(self, rpc, fields):
        try:
            answer = await self._wire.call(rpc, **fields)
        except BillingError as error:
            self.answers.append(
                (
                    rpc,
                    self._plain([error.status.name, error.reason, str(error), dict(error.metadata), error.violations]),
                )
            )
            return None
        self.answers.append((rpc, self._plain(MessageToDict(answer))))
        return answer

    def _plain(self, value):
        if isinstance(value, dict):
            kept = {key: each for key, each in value.items() if not key.endswith("Time")}
            return {
                key: "secret" if key.endswith(("PageToken", "referralCode")) else self._plain(each)
                for key, each in kept.items()
            }
        if isinstance(value, list | tuple):
            return [self._plain(each) for each in value]
        if not isinstance(value, str):
            return value
        for number, own in enumerate((*self.accounts, *self._codes)):
            value = value.replace(own, f"own {number}")
        return ID.sub(lambda found: self._ids.setdefault(found[0], f"{found[1]} {len(self._ids)}"), value)

    async def _deduct(self, account_id):
        amount, mode = self._chance.randint(1, 60) * CREDIT, self._chance.choice([1, 1, 1, 2, 3])
        done = await self._ask(
            "DeductCredits", account_id=account_id, amount_microcredits=amount, mode=mode, description="use"
        )
        if done is not None and done.transaction_id:
            self._deductions[account_id].append(done.transaction_id)

    async def _grant(self, account_id):
        amount, about = (
            self._chance.randint(1, 60) * CREDIT,
            {"category": self._chance.choice([1, 2, 3]), "reason": "gift"},
        )
        if self._chance.random() < 0.3:
            about["expire_time"] = "2090-01-01T00:00:00Z"
        await self._ask("GrantCredits", account_id=account_id, amount_microcredits=amount, **about)

    async def _balance(self, account_id):
        await self._ask("GetBalance", keyed=False, account_id=account_id)

    async def _statement(self, account_id):
        token, filters = "", self._chance.choice([{}, {}, {"kind": 3}])
        for _ in range(self._chance.randint(1, 3)):
            page = await self._ask(
                "ListTransactions", keyed=False, account_id=account_id, page_size=7, page_token=token, **filters
            )
            token = page.next_page_token
            if not token:
                break

    async def _reverse(self, account_id):
        if self._deductions[account_id]:
            transaction_id = self._chance.choice(self._deductions[account_id])
            part = {"amount_microcredits": CREDIT} if self._chance.random() < 0.5 else {}
            await self._ask("ReverseDeduction", account_id=account_id, transaction_id=transaction_id, **part)

    async def _adjust(self, account_id):
        amount = self._chance.choice([-10, -1, 5]) * CREDIT
        await self._ask("AdjustCredits", account_id=account_id, amount_microcredits=amount, reason="goodwill")

    async def _freeze(self, account_id):
        await self._ask("FreezeAccount", account_id=account_id, frozen=self._chance.random() < 0.3, reason="check")

    async def _overdraft(self, account_id):
        limit = self._chance.randint(0, 9) * CREDIT
        await self._ask(
            "SetOverdraftLimit", account_id=account_id, overdraft_limit_microcredits=limit, reason="credit line"
        )

    async def _repeat(self, _account_id):
        await self._send(*self._chance.choice(self._sent))

    async def _buy(self, account_id):
        made = await self._ask("CreatePurchase", account_id=account_id, package_code="starter")
        self._purchases.append(made.purchase.purchase_id)
        await self._stack.pay(made.purchase.checkout_url)
        async with asyncio.timeout(30):
            while (  # noqa: ASYNC110
                await self._wire.call("GetPurchase", purchase_id=made.purchase.purchase_id)
            ).purchase.status != COMPLETED:
                await asyncio.sleep(0.02)
        await self._ask("GetPurchase", keyed=False, purchase_id=made.purchase.purchase_id)

    async def _list(self, account_id):
        await self._ask("ListPurchases", keyed=False, account_id=account_id)
        await self._ask("ListRefunds", keyed=False, account_id=account_id)

    async def _refund(self, _account_id):
        if self._purchases:
            amount = self._chance.randint(1, 200)
            purchase_id = self._chance.choice(self._purchases)
            await self._ask("Refund", purchase_id=purchase_id, amount_minor=amount, policy=self._chance.choice([1, 2]))

    async def _quote(self, _account_id):
        if self._purchases:
            await self._ask("QuoteRefund", keyed=False, purchase_id=self._chance.choice(self._purchases))

    async def _audit(self, account_id):
        await self._ask("ListAuditRecords", keyed=False, account_id=account_id, page_size=5)

    async def _account(self, account_id):
        await self._ask("GetAccount", keyed=False, account_id=account_id)
        await self._ask("GetReferral", keyed=False, account_id=account_id)

    async def _refer(self, account_id):
        await self._ask("ApplyReferral", account_id=account_id, referral_code=self._chance.choice(self._codes))

    async def _unknown(self, account_id):
        await self._ask("GetBalance", keyed=False, account_id=f"{account_id}-of-nobody")
        await self._ask("ReverseDeduction", account_id=account_id, transaction_id="txn_of_nobody")


async def test_a_history_is_answered_alike_alone_and_amid_others(database):
    async with running_stack(database.url, BILLING_LOG_LEVEL="ERROR") as stack, Wire(stack.service.address) as wire:
        seed = random.randrange(2**32)
        alone = Tenant(stack, wire, "lonely", seed)
        await alone.run(OPERATIONS)
        others = [Tenant(stack, wire, f"{'az'[number % 2]}{number}", seed + 1 + number) for number in range(OTHERS)]
        crowd = [asyncio.create_task(other.run(OPERATIONS * 100)) for other in others]
        amid = Tenant(stack, wire, "amidst", seed)
        await amid.run(OPERATIONS)
        assert not any(task.done() for task in crowd), "the others had stopped"
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        for number, (one, other) in enumerate(zip(alone.answers, amid.answers, strict=True)):
            assert one == other, f"seed {seed}, answer {number}"
        assert sum(len(other.answers) for other in others) > OPERATIONS // 2
        await stack.webhooks()
