"""Many callers spend at once: no credit is spent twice, and the ledger proves itself."""

import os
import random

import pytest
from billing_client.errors import BillingError

from tests.end_to_end.spending import ALLOW_DEBT, REJECT, SHORT, UP_TO_AVAILABLE, deduct, grant, shown
from tests.support.stack import CREDIT
from tests.support.wire import outcomes, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROUNDS = 200 if os.environ.get("BILLING_LONG_TESTS") == "1" else 20


async def test_fifty_callers_on_thirty_credits(wire, new_account):
    for number in range(ROUNDS):
        account_id = new_account()
        await grant(wire, account_id, 30)
        ended = await outcomes(*(deduct(wire, account_id, 1) for _ in range(50)))
        assert [told(end) for end in ended if isinstance(end, BillingError)] == [SHORT] * 20, f"round {number}"
        balances = [end.balance.available_microcredits // CREDIT for end in ended if not isinstance(end, BillingError)]
        assert sorted(balances) == list(range(30)), f"round {number}"
        assert await shown(wire, account_id) == (0, 0, 0), f"round {number}"


async def test_a_crowd_of_everything_leaves_a_ledger_that_proves_itself(stack, wire, new_account):
    chance, accounts = random.Random(11), [new_account("crowd") for _ in range(4)]
    bought = {account_id: await stack.buy(account_id) for account_id in accounts}
    spent = {
        account_id: [(await deduct(wire, account_id, 10)).transaction_id for _ in range(5)] for account_id in accounts
    }

    def anything(account_id):
        amount = chance.randrange(1, 60)
        return chance.choice(
            [
                lambda: deduct(wire, account_id, amount, chance.choice((REJECT, UP_TO_AVAILABLE, ALLOW_DEBT))),
                lambda: deduct(wire, account_id, amount),
                lambda: grant(wire, account_id, amount, priority=chance.randrange(101)),
                lambda: wire.do(
                    "AdjustCredits", account_id=account_id, amount_microcredits=-amount * CREDIT, reason="less"
                ),
                lambda: wire.do(
                    "Refund",
                    purchase_id=bought[account_id].purchase_id,
                    amount_minor=amount,
                    policy=chance.choice((1, 2)),
                ),
                lambda: wire.do(
                    "ReverseDeduction",
                    account_id=account_id,
                    transaction_id=chance.choice(spent[account_id]),
                    amount_microcredits=CREDIT,
                ),
                lambda: wire.call("GetBalance", account_id=account_id),
            ]
        )()

    ended = await outcomes(*(anything(chance.choice(accounts)) for _ in range(240)))
    assert {end.status.name for end in ended if isinstance(end, BillingError)} <= {"FAILED_PRECONDITION"}, ended
    await stack.webhooks()
    for account_id in accounts:
        report = await wire.call("VerifyLedger", account_id=account_id)
        assert (report.account_count, list(report.differences)) == (1, [])
        rows = await wire.call("ListTransactions", account_id=account_id, page_size=1000)
        balance = (await wire.call("GetBalance", account_id=account_id)).balance
        total = balance.available_microcredits + balance.frozen_microcredits - balance.debt_microcredits
        assert sum(row.amount_microcredits for row in rows.transactions) == total
        assert balance.account_version == len(rows.transactions)
