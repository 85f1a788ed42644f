"""Records a golden database of this program: `python -m tests.upgrade.record_golden NAME [FOLDER]`.

A golden database is a ledger as a released program left it, on both stores, with every write that was asked of it and
its answer. Later programs must open, migrate, verify and replay it (`test_golden_databases.py`). Record one for each
release, from its own tree, on a machine with PostgreSQL's wheel.
"""

import asyncio
import base64
import json
import lzma
import os
import sqlite3
import sys
import tempfile
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

from tests.support.databases import migrate_now_apart, postgres_databases
from tests.support.postgres_tools import run_tool
from tests.support.repeatable_requests import REQUESTS, filled, world
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import WRITES, Wire


class RecordingWire(Wire):
    """Keeps each write that was done: the RPC, its request as JSON, and the bytes of its answer."""

    def __init__(self, address):
        super().__init__(address)
        self.recorded = []

    async def call(self, rpc, **fields):
        answer = await super().call(rpc, **fields)
        if rpc in WRITES:
            self.recorded.append([rpc, fields, base64.b64encode(answer.SerializeToString(deterministic=True)).decode()])
        return answer


async def tell(stack, wire):
    """A story with purchases, refunds and referrals in every state, debt, expiry, freezing, and events of every
    outcome."""
    names = await world(stack, wire)
    for number, (rpc, fields, _) in enumerate(REQUESTS):
        await wire.call(rpc, **filled(fields, names), idempotency_key=f"first-{number}")
    await _purchases(stack, wire)
    await _referrals(stack, wire, names["code"])
    await _spending(wire)
    await _events(wire)
    await stack.webhooks()


async def _order(wire, account_id, package_code="starter"):
    return (await wire.do("CreatePurchase", account_id=account_id, package_code=package_code)).purchase


async def _bought(stack, wire, account_id, package_code="starter", **payment):
    purchase = await _order(wire, account_id, package_code)
    paid = await stack.pay(purchase.checkout_url, **payment)
    assert paid.status_code == 303, paid.text
    await stack.webhooks()
    return (await wire.call("GetPurchase", purchase_id=purchase.purchase_id)).purchase


async def _purchases(stack, wire):
    await _bought(stack, wire, "buyer", "pro")
    await _order(wire, "buyer")
    expired = await _order(wire, "buyer")
    await stack.control(f"sessions/{expired.checkout_session_id}/expire")
    canceled = await _order(wire, "buyer")
    await wire.do("CancelPurchase", purchase_id=canceled.purchase_id)
    for outcome in ("succeeded", "failed", None):
        debit = await _order(wire, "buyer", "standard")
        await stack.pay(debit.checkout_url, method="debit")
        await stack.webhooks()
        if outcome:
            await stack.control(f"payments/{debit.checkout_session_id}/settle", {"outcome": outcome})
    part = await _bought(stack, wire, "refunded")
    await wire.do("Refund", purchase_id=part.purchase_id, amount_minor=333, reason="part")
    whole = await _bought(stack, wire, "refunded")
    await wire.do("DeductCredits", account_id="refunded", amount_microcredits=1_200 * CREDIT)
    await wire.do("Refund", purchase_id=whole.purchase_id, policy=2, reason="whole")
    failing = await _bought(stack, wire, "refunded", number="4000000000005126")
    refund = (await wire.do("Refund", purchase_id=failing.purchase_id, policy=2, reason="fails")).refund
    await stack.control(
        f"refunds/{refund.stripe_refund_id}/settle", {"status": "failed", "reason": "lost_or_stolen_card"}
    )
    await stack.webhooks()


async def _referrals(stack, wire, code):
    for account_id, spend in (("rewarded", True), ("reversed", False), ("waiting", None)):
        await wire.do("ApplyReferral", account_id=account_id, referral_code=code)
        if spend is None:
            continue
        bought = await _bought(stack, wire, account_id)
        if spend:
            await wire.do("DeductCredits", account_id=account_id, amount_microcredits=1_500 * CREDIT)
        else:
            await wire.do("Refund", purchase_id=bought.purchase_id, reason="all of it")
    await wire.do("ApplyReferral", account_id="closed", referral_code=code)
    small = (await wire.do("CreatePurchase", account_id="closed", custom_amount_minor=500)).purchase
    await stack.pay(small.checkout_url)
    await stack.webhooks()


async def _spending(wire):
    account = {"account_id": "spender"}
    await wire.do("GrantCredits", **account, amount_microcredits=50 * CREDIT, reason="gift", priority=10)
    await wire.do("GrantCredits", **account, amount_microcredits=30 * CREDIT, reason="ends", expire_time=_soon(3))
    await wire.do(
        "GrantCredits", **account, amount_microcredits=7 * CREDIT, reason="later", effective_time="2090-01-01T00:00:00Z"
    )
    spent = await wire.do(
        "DeductCredits", **account, amount_microcredits=20 * CREDIT, description="d\u00fc", metadata={"model": "m"}
    )
    await wire.do(
        "ReverseDeduction",
        **account,
        transaction_id=spent.transaction_id,
        amount_microcredits=4 * CREDIT,
        reason="half",
    )
    await asyncio.sleep(3)
    await wire.do("DeductCredits", **account, amount_microcredits=10**12, mode=2)
    owed = await wire.do("DeductCredits", **account, amount_microcredits=11 * CREDIT, mode=3)
    await wire.do("GrantCredits", **account, amount_microcredits=5 * CREDIT, reason="pays debt")
    await wire.do("ReverseDeduction", **account, transaction_id=owed.transaction_id, reason="all")
    await wire.do("SetOverdraftLimit", **account, overdraft_limit_microcredits=40 * CREDIT, reason="trusted")
    await wire.do("DeductCredits", **account, amount_microcredits=35 * CREDIT)
    batch = [{**account, "amount_microcredits": n, "mode": 3, "idempotency_key": f"batch-{n}"} for n in (1, 2, 3)]
    await wire.call("BatchDeductCredits", deductions=batch)
    for each in batch:  # each is a deduction like others
        await wire.call("DeductCredits", **each)
    await wire.do("GrantCredits", account_id="frozen", amount_microcredits=9 * CREDIT, reason="gift")
    await wire.do("FreezeAccount", account_id="frozen", frozen=True, reason="checked")
    await wire.do("AdjustCredits", account_id="frozen", amount_microcredits=CREDIT, reason="correction")


async def _events(wire):
    event = {
        "object": "event",
        "created": 1_700_000_000,
        "livemode": False,
        "pending_webhooks": 1,
        "api_version": "2024-06-20",
    }
    await wire.deliver(
        {
            **event,
            "id": "evt_unknown",
            "type": "product.created",
            "data": {"object": {"object": "product", "id": "prod_1"}},
        }
    )
    pending = await _order(wire, "buyer")
    wrong = {
        "object": "checkout.session",
        "id": pending.checkout_session_id,
        "mode": "payment",
        "status": "complete",
        "payment_status": "paid",
        "client_reference_id": pending.purchase_id,
        "metadata": {"purchase_id": pending.purchase_id, "account_id": "buyer"},
        "amount_subtotal": 999,
        "amount_total": 999,
        "currency": "usd",
        "livemode": False,
        "payment_intent": "pi_wrong",
    }
    await wire.deliver(
        {**event, "id": "evt_quarantined", "type": "checkout.session.completed", "data": {"object": wrong}}
    )
    early = {
        "object": "refund",
        "id": "re_early",
        "amount": 5,
        "currency": "usd",
        "status": "succeeded",
        "payment_intent": "pi_nobody",
    }
    await wire.deliver({**event, "id": "evt_waiting", "type": "refund.created", "data": {"object": early}})


def _soon(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


async def record(database_url):
    """Tells the story on a database; answers the writes."""
    async with AsyncExitStack() as running:
        settings = {"BILLING_EXPIRY_SWEEP_INTERVAL_S": "1", "BILLING_VERIFY_INTERVAL_S": "0"}
        stack = await running.enter_async_context(running_stack(database_url, **settings))
        wire = await running.enter_async_context(RecordingWire(stack.service.address))
        await tell(stack, wire)
        return wire.recorded


def _write(path, data):
    path.write_bytes(lzma.compress(data, preset=9))
    print(path.name, path.stat().st_size)  # noqa: T201 - a command that says what it wrote


def record_sqlite(folder, name):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "ledger.db"
        migrate_now_apart(f"sqlite:///{path}")
        recorded = asyncio.run(record(f"sqlite:///{path}"))
        copy = Path(directory) / "copy.db"
        with closing(sqlite3.connect(path)) as kept:
            kept.execute("VACUUM INTO ?", (str(copy),))
        _write(folder / f"{name}.sqlite.db.xz", copy.read_bytes())
    _write(folder / f"{name}.sqlite.json.xz", json.dumps(recorded).encode())


def record_postgresql(folder, name):
    with postgres_databases() as server:
        url = server.empty()
        migrate_now_apart(url)
        recorded = asyncio.run(record(url))
        dump = run_tool("pg_dump", "--no-owner", "--no-privileges", url)
        server.drop(url)
    _write(folder / f"{name}.postgresql.sql.xz", dump.encode())
    _write(folder / f"{name}.postgresql.json.xz", json.dumps(recorded).encode())


def main():
    name = sys.argv[1]
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_name("golden")
    folder.mkdir(exist_ok=True)
    record_sqlite(folder, name)
    record_postgresql(folder, name)


if __name__ == "__main__":
    main()
