"""ReRate with its effect, over the wire: each charge comes to what it costs by another card, once for each card."""

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from billing_client.errors import BillingError, DeductionAlreadyReversed, IdempotencyKeyReused, InvalidField
from prepaid.billing.v1.reasons_pb2 import REASON_BALANCE_LIMIT_REACHED
from prepaid.billing.v1.transactions_pb2 import (
    DEDUCTION_MODE_ALLOW_DEBT,
    DEDUCTION_MODE_UP_TO_AVAILABLE,
    TRANSACTION_KIND_CORRECTION,
)

from billing_service.commands.spending import correct_charges
from billing_service.domain.catalogue.rate_card_files import read_card
from billing_service.domain.ledger.amounts import BALANCE_MAX
from billing_service.storage.rows import rerating as rows
from tests.support.ledger_check import ledger_problems
from tests.support.priced_stack import INPUT, REQUESTS, flat_card, give, put_card_by_hand, usage
from tests.support.stack import running_stack
from tests.support.wire import row_counts

pytestmark = pytest.mark.asyncio(loop_scope="session")

CARDS = (50, 70, 150)
TOKEN = usage([(INPUT, "", 1)], provider="p", model="m")
"""100 microcredits by the card in force."""


@pytest_asyncio.fixture(loop_scope="session")
async def client(database, monkeypatch):
    """The service's client, by a card where a token costs 100. `flat-50`, `flat-70` and `flat-150` are stored. Usage
    may be corrected at once."""
    monkeypatch.setattr("billing_service.api.servicers.rerating.SETTLED_US", -1_000 * 1_000_000)
    await put_card_by_hand(database, read_card(flat_card(100)))
    async with running_stack(database.url) as stack:
        for microcredits in CARDS:
            await stack.client.create_rate_card_version(card_file=flat_card(microcredits).encode())
        yield stack.client
        assert not (await stack.client.verify_ledger()).differences
    assert ledger_problems(database) == []


def window(microcredits, **fields):
    now = datetime.now(UTC)
    asked = {"to_rate_card_version": f"flat-{microcredits}", "start_time": now - timedelta(hours=1), "end_time": now}
    return asked | {"dry_run": False, "reason": "a wrong price"} | fields


async def rerate(client, microcredits, **fields):
    """The totals of one part, of the one model, and the part."""
    part = await client.re_rate(**window(microcredits, **fields))
    return (part.models[0].totals if part.models else None), part


async def spend(client, tokens=1, account_id="acme", **fields):
    asked = usage([(INPUT, "", tokens)], provider="p", model="m")
    return await client.deduct_credits(account_id=account_id, usage=asked, **fields)


async def undo(client, deducted, amount=None, account_id="acme"):
    return await client.reverse_deduction(
        account_id=account_id, transaction_id=deducted.transaction_id, amount_microcredits=amount
    )


async def balance(client, account_id="acme"):
    shown = (await client.get_balance(account_id=account_id)).balance
    return shown.available_microcredits - shown.debt_microcredits


async def test_a_correction_needs_a_reason_a_key_and_a_settled_window(client, monkeypatch):
    monkeypatch.undo()
    for fields, named in (
        ({"reason": ""}, "reason"),
        ({"reason": "r" * 501}, "reason"),
        ({"idempotency_key": "k\t"}, "idempotency_key"),
        ({}, "end_time"),
        ({"end_time": datetime.now(UTC) - timedelta(seconds=1_195)}, "end_time"),
    ):
        end = {"end_time": datetime.now(UTC) - timedelta(minutes=21)} if named != "end_time" else {}
        with pytest.raises(InvalidField) as refused:
            await rerate(client, 50, **end, **fields)
        assert [name for name, _ in refused.value.violations] == [named]


async def test_what_was_undone_is_not_given_back_again(client):
    await give(client, "acme", 1_000)
    whole = await spend(client)
    await undo(client, whole)
    totals, _ = await rerate(client, 50)
    assert (totals.target_microcredits, totals.corrected_microcredits) == (0, 0)
    assert await balance(client) == 1_000
    corrected = await spend(client)
    totals, _ = await rerate(client, 50)
    assert (totals.usage_count, totals.decided_count, totals.corrected_microcredits) == (2, 1, -50)
    assert await balance(client) == 950
    with pytest.raises(DeductionAlreadyReversed) as refused:
        await undo(client, corrected, 51)
    assert refused.value.metadata == {"reversible_microcredits": "50"}
    assert (await undo(client, corrected)).reversed_microcredits == 50
    assert await balance(client) == 1_000
    for microcredits in CARDS:  # what is undone whole stays so, whatever it costs
        await rerate(client, microcredits)
        assert await balance(client) == 1_000


@pytest.mark.parametrize(("amount", "by_50", "by_150"), [(40, 30, 90), (99, 1, 2), (100, 0, 0), (33, 34, 101)])
async def test_a_share_that_was_undone_costs_nothing_by_any_card(client, amount, by_50, by_150):
    await give(client, "acme", 1_000)
    deducted = await spend(client)
    await undo(client, deducted, amount)
    await rerate(client, 50)
    assert await balance(client) == 1_000 - by_50
    await rerate(client, 150)
    assert await balance(client) == 1_000 - by_150


async def test_a_share_that_is_undone_after_a_correction_is_a_share_of_what_it_costs_then(client):
    await give(client, "acme", 1_000)
    deducted = await spend(client)
    await rerate(client, 50)
    await undo(client, deducted, 20)  # two fifths of the usage
    await rerate(client, 150)
    assert await balance(client) == 1_000 - 90
    await rerate(client, 70)
    assert await balance(client) == 1_000 - 42


async def test_each_card_decides_a_charge_once(client, database):
    await give(client, "acme", 1_000)
    await spend(client)
    asked = window(50, idempotency_key="k")
    part = await client.re_rate(**asked)
    first = part.models[0].totals
    assert (first.charged_microcredits, first.target_microcredits, first.corrected_microcredits) == (100, 50, -50)
    assert not part.replayed
    before = await row_counts(database)
    again = await client.re_rate(**asked)
    assert await row_counts(database) == before
    assert again.replayed
    again.replayed = False
    assert again == part
    with pytest.raises(IdempotencyKeyReused):
        await rerate(client, 70, idempotency_key="k")
    assert await balance(client) == 950
    await rerate(client, 70)
    assert await balance(client) == 930
    late, _ = await rerate(client, 50)  # a late repeat of the first undoes nothing of the second
    assert (late.decided_count, late.difference_microcredits, late.corrected_microcredits) == (1, 0, 0)
    dry, _ = await rerate(client, 50, dry_run=True)
    assert (dry.decided_count, dry.charged_microcredits, dry.difference_microcredits) == (1, 70, 0)
    assert await balance(client) == 930
    nothing, _ = await rerate(client, 100)
    assert nothing.corrected_microcredits == 30
    assert await balance(client) == 900


async def test_what_is_charged_besides_comes_from_what_is_available(client):
    await give(client, "acme", 220)
    await spend(client, 2)
    totals, _ = await rerate(client, 150)
    assert (totals.difference_microcredits, totals.corrected_microcredits) == (100, 20)
    assert totals.shortfall_microcredits == 80
    assert await balance(client) == 0
    await give(client, "acme", 500)
    assert await balance(client) == 500, "the shortfall is no debt"
    await client.freeze_account(account_id="acme", frozen=True, reason="stolen")
    totals, _ = await rerate(client, 70)
    assert totals.corrected_microcredits == -80, "what comes back comes back to a frozen account too"
    await client.create_rate_card_version(card_file=flat_card(160).encode())
    totals, _ = await rerate(client, 160)
    assert (totals.corrected_microcredits, totals.shortfall_microcredits) == (0, 180)


async def test_what_could_not_be_collected_stays_uncollected(client):
    await give(client, "acme", 60)
    await spend(client, mode=DEDUCTION_MODE_UP_TO_AVAILABLE)
    await give(client, "acme", 1_000)
    for microcredits, taken in ((70, 60), (50, 50), (150, 60)):
        await rerate(client, microcredits)
        assert await balance(client) == 1_060 - taken


async def test_what_comes_back_pays_debt_first_and_then_the_lot_drawn_last(client):
    await give(client, "acme", 100)
    await client.grant_credits(account_id="acme", amount_microcredits=100, reason="later", priority=60)
    await spend(client, 3, mode=DEDUCTION_MODE_ALLOW_DEBT)
    assert await balance(client) == -100
    await rerate(client, 50)
    history = (await client.list_transactions(account_id="acme", kind=TRANSACTION_KIND_CORRECTION)).transactions
    assert [(each.amount_microcredits, each.source_id[:4]) for each in history] == [(150, "txn_")]
    assert [draw.amount_microcredits for draw in history[0].draws] == [-50]
    assert await balance(client) == 50


async def test_a_free_usage_is_charged_when_it_has_a_price(client):
    await give(client, "acme", 1_000)
    free = await client.deduct_credits(account_id="acme", usage=usage([(REQUESTS, "", 3)], provider="p", model="m"))
    assert free.deducted_microcredits == 0
    card = flat_card(50, "paid").replace('"requests": {"usd": "0"}', '"requests": {"usd": "0.0000001"}')
    await client.create_rate_card_version(card_file=card.encode())
    totals, _ = await rerate(client, 50, to_rate_card_version="paid")
    assert totals.corrected_microcredits == 30
    assert await balance(client) == 970


async def test_the_receipt_and_the_limits_know_corrections(client):
    await give(client, "acme", 1_000)
    await client.set_spend_limit(account_id="acme", window=1, limit_microcredits=500)
    deducted = await spend(client)
    held = await client.hold_credits(account_id="acme", amount_microcredits=200)
    await client.capture_hold(account_id="acme", hold_id=held.hold.hold_id, usage=TOKEN)
    await rerate(client, 50)
    await undo(client, deducted, 10)
    await rerate(client, 150)
    found = (await client.get_receipt(account_id="acme", transaction_id=deducted.transaction_id)).receipt
    assert (found.charged_microcredits, found.reversed_microcredits, found.corrected_microcredits) == (100, 10, 30)
    assert [
        (each.corrected_microcredits, each.rate_card_version, each.price_microcredits) for each in found.corrections
    ] == [(-50, "flat-50", 50), (80, "flat-150", 150)]
    assert await balance(client) == 1_000 - 120 - 150
    (limit,) = (await client.get_account(account_id="acme")).spend_limits
    assert limit.used_microcredits == 190, "what was undone, and no correction"


async def test_a_broken_run_goes_on_where_it_broke(client, monkeypatch):
    """Each account has its own transaction, which keeps the key. So the answer of a repeat is the whole one."""
    for account_id in ("a", "b", "c"):
        await give(client, account_id, 1_000)
        await spend(client, account_id=account_id)
    works, times = correct_charges.changed_deductions, window(50, idempotency_key="k")

    def breaks(account_id, transaction_ids):
        assert account_id != "b"
        return works(account_id, transaction_ids)

    monkeypatch.setattr(correct_charges, "changed_deductions", breaks)
    with pytest.raises(BillingError) as broke:
        await client.re_rate(**times)
    assert broke.value.reason == "INTERNAL"
    assert [await balance(client, each) for each in ("a", "b", "c")] == [950, 900, 900]
    monkeypatch.setattr(correct_charges, "changed_deductions", works)
    part = await client.re_rate(**times)
    assert part.models[0].totals.corrected_microcredits == -150
    assert [await balance(client, each) for each in ("a", "b", "c")] == [950, 950, 950]
    assert [account.account_id for account in part.accounts] == ["a", "b", "c"]


async def test_an_account_without_room_stops_no_other(client):
    await give(client, "full", 1_000)
    await give(client, "acme", 1_000)
    for account_id in ("full", "acme"):
        await spend(client, account_id=account_id)
    left = BALANCE_MAX - 900
    while left:
        part = min(left, 10**15)
        await give(client, "full", part)
        left -= part
    totals, part = await rerate(client, 50)
    assert [(each.account_id, each.refusal) for each in part.uncorrected] == [("full", REASON_BALANCE_LIMIT_REACHED)]
    assert totals.corrected_microcredits == -50
    assert [account.account_id for account in part.accounts] == ["acme"]


async def test_parts_correct_everything_once(client, monkeypatch):
    for account_id in ("a", "b"):
        await give(client, account_id, 1_000)
    for _ in range(3):
        for account_id in ("a", "b"):
            await spend(client, account_id=account_id)
    monkeypatch.setattr(rows, "ROWS_A_READ", 2)
    asked = window(50, page_size=1, idempotency_key="run")
    parts = [part async for part in client.iter_re_rating(**asked)]
    assert len(parts) > 3
    assert sum(model.totals.corrected_microcredits for part in parts for model in part.models) == -300
    assert [part async for part in client.iter_re_rating(**asked)] != []
    assert [await balance(client, each) for each in ("a", "b")] == [850, 850]
    audited = await client.list_audit_records(account_id="a")
    assert any('"corrected":1' in each.detail and "a wrong price" in each.detail for each in audited.records)
