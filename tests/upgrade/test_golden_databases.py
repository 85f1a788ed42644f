"""Ledgers as released programs left them: this program opens, migrates and proves them, and gives every answer
again."""

import asyncio
import base64
import json
import lzma
from pathlib import Path

import pytest
from google.protobuf.message_factory import GetMessageClass

from billing_service.integrity.verify import verify_ledger
from tests.support.databases import Database, PostgresUnavailableError
from tests.support.ledger_check import ledger_problems
from tests.support.postgres_tools import run_tool
from tests.support.service_process import running_process, service_settings
from tests.support.wire import METHODS, Wire, outcomes
from tests.upgrade.newer_program import query, run_migrate

GOLDEN = Path(__file__).with_name("golden")
NAMES = sorted({path.name.split(".")[0] for path in GOLDEN.iterdir()})
WHAT_STAYS = {
    "heads and balances": "SELECT account_id, version, balance, debt, set_aside, last_hash FROM accounts ORDER BY "
    "account_id",
    "lots": "SELECT account_id, lot_id, amount, remaining, expire_time_us FROM lots ORDER BY account_id, lot_id",
    "purchases": "SELECT purchase_id, status, credits, paid_minor, refunded_minor, reversed FROM purchases ORDER BY "
    "purchase_id",
    "refunds": "SELECT refund_id, status, amount_minor, reversed, debt FROM refunds ORDER BY refund_id",
    "referrals": "SELECT account_id, state, bonus, referee_taken, referrer_taken FROM referrals ORDER BY account_id",
    "inbox": "SELECT event_id, status, attempt_count FROM stripe_events ORDER BY event_id",
    "keys": "SELECT count(*) FROM idempotency_keys",
}
SINCE_THE_FIRST = {
    "AdjustCredits",
    "ApplyReferral",
    "CancelPurchase",
    "CreateAccount",
    "CreateApiKey",
    "CreatePurchase",
    "DeductCredits",
    "FreezeAccount",
    "GrantCredits",
    "Refund",
    "ReverseDeduction",
    "RevokeApiKey",
    "SetOverdraftLimit",
}
"""Writes that every recorded ledger has."""
STATUSES = {
    "SELECT DISTINCT status FROM purchases": {
        "PENDING",
        "AWAITING_FUNDS",
        "COMPLETED",
        "FAILED",
        "EXPIRED",
        "CANCELED",
    },
    "SELECT DISTINCT status FROM refunds": {"SUCCEEDED", "FAILED"},
    "SELECT DISTINCT state FROM referrals": {"PENDING", "REWARDED", "CLOSED", "REVERSED"},
    "SELECT DISTINCT status FROM stripe_events": {"PROCESSED", "IGNORED", "QUARANTINED"},
}


def unpacked(name, kind):
    return lzma.decompress((GOLDEN / f"{name}.{kind}.xz").read_bytes())


@pytest.fixture(params=NAMES)
def golden(request, store_name, tmp_path):
    """(the ledger as the older program left it and not migrated, its writes: RPC, request, answer)."""
    recorded = json.loads(unpacked(request.param, f"{store_name}.json"))
    if store_name == "sqlite":
        path = tmp_path / "golden.db"
        path.write_bytes(unpacked(request.param, "sqlite.db"))
        yield Database("sqlite", f"sqlite:///{path}"), recorded
        return
    server = request.getfixturevalue("postgres")
    if isinstance(server, PostgresUnavailableError):
        pytest.skip(f"PostgreSQL is not tested: {server}")
    dump, url = tmp_path / "golden.sql", server.empty()
    dump.write_bytes(unpacked(request.param, "postgresql.sql"))
    run_tool("psql", "--quiet", f"--file={dump}", url)
    yield Database("postgresql", url), recorded
    server.drop(url)


def told(recorded):
    """(RPC, request, answer as its repetition must be)."""
    for rpc, fields, answer in recorded:
        message = GetMessageClass(METHODS[rpc].output_type).FromString(base64.b64decode(answer))
        message.replayed = True
        if rpc == "CreateApiKey":  # shown once
            message.secret = ""
        yield rpc, fields, message


async def verified(database):
    store = await database.open()
    try:
        return await verify_ledger(store)
    finally:
        await store.close()


@pytest.mark.asyncio
async def test_a_ledger_of_an_older_program(golden, forker, tmp_path):
    database, recorded = golden
    assert {rpc for rpc, _, _ in recorded} >= SINCE_THE_FIRST
    for statement, expected in STATUSES.items():
        assert {row[0] for row in query(database, statement)} == expected
    before = {name: query(database, statement) for name, statement in WHAT_STAYS.items()}
    code, said = await asyncio.to_thread(run_migrate, database)
    assert code == 0, said
    assert {name: query(database, statement) for name, statement in WHAT_STAYS.items()} == before
    assert ledger_problems(database) == []
    report = await verified(database)
    assert (report.differences, report.accounts) == ([], len(before["heads and balances"]))
    async with (
        running_process(forker, service_settings(database), tmp_path / "service.log") as service,
        Wire(service.address) as wire,
    ):
        first = list(told(recorded))
        again = await outcomes(*(wire.call(rpc, **fields) for rpc, fields, _ in first))
        for (rpc, fields, answer), repeated in zip(first, again, strict=True):
            assert repeated == answer, (rpc, fields)
        for ids in query(database, "SELECT refund_id, stripe_refund_id FROM refunds"):
            found = [
                (await wire.call("GetRefund", refund_id=refund_id)).refund.refund_id for refund_id in ids if refund_id
            ]
            assert set(found) == {ids[0]}
        assert await service.stop() == 0
    assert {name: query(database, statement) for name, statement in WHAT_STAYS.items()} == before
