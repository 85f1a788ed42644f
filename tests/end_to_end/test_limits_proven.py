"""Verification proves what spend limits have used, from transactions and holds, and finds a counter that was edited."""

import pytest

from tests.end_to_end.leaping_clock import LeapingClock
from tests.end_to_end.money import ALLOW_DEBT, deduct, grant, undo
from tests.end_to_end.test_spend_limits import DAY, MONTH, NONE, TEAM, limited, used
from tests.support.doubles import SECOND_US
from tests.support.stack import CREDIT, running_stack
from tests.support.tampering import tamper
from tests.support.wire import Wire

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.unchecked_ledger]


async def spent_under_limits(wire, account_id):
    """Charges, holds, captures and reversals before and after limits were set."""
    await grant(wire, account_id, 1_000)
    before = await deduct(wire, account_id, 3, spender_ids=[TEAM])
    early = (await wire.do("HoldCredits", account_id=account_id, amount_microcredits=9 * CREDIT)).hold
    for window in (DAY, MONTH, NONE):
        await limited(wire, account_id, 100, window)
        await limited(wire, account_id, 50, window, TEAM)
    await undo(wire, account_id, before)
    charge = await deduct(wire, account_id, 6, spender_ids=[TEAM, "agent"])
    await undo(wire, account_id, charge, amount_microcredits=4 * CREDIT)
    await deduct(wire, account_id, 2)
    held = {"account_id": account_id, "amount_microcredits": 7 * CREDIT, "spender_ids": [TEAM]}
    hold = (await wire.do("HoldCredits", **held)).hold
    fields = {"account_id": account_id, "hold_id": hold.hold_id, "over_hold": 4, "amount_microcredits": 9 * CREDIT}
    captured = await wire.do("CaptureHold", **fields)
    await undo(wire, account_id, captured, amount_microcredits=3 * CREDIT)
    other = (await wire.do("HoldCredits", **held)).hold
    await wire.do("CaptureHold", account_id=account_id, hold_id=other.hold_id, amount_microcredits=CREDIT)
    await wire.do("ReleaseHold", account_id=account_id, hold_id=early.hold_id)
    await deduct(wire, account_id, 200, ALLOW_DEBT)
    assert await used(wire, account_id) == {
        **{("", window): 2 + 2 + 6 + 1 + 200 for window in (DAY, MONTH, NONE)},
        **{(TEAM, window): 2 + 6 + 1 for window in (DAY, MONTH, NONE)},
    }


async def differences(stack, account_id):
    report = await stack.client.verify_ledger(account_id=account_id)
    return [(each.subject, int(each.stored) - int(each.expected)) for each in report.differences]


async def test_counters_are_what_history_says_and_edited_ones_are_found(database):
    async with running_stack(database.url, BILLING_LOG_LEVEL="ERROR") as stack, Wire(stack.service.address) as wire:
        await spent_under_limits(wire, "acme")
        assert await differences(stack, "acme") == []
        tamper(database, "UPDATE spend_limits SET used = used + 1 WHERE spender_id = '' AND spend_window = 1")
        assert await differences(stack, "acme") == [("spend limit of the account DAY used", 1)]
        tamper(database, "UPDATE spend_limits SET used = used - 1 WHERE spender_id = '' AND spend_window = 1")
        tamper(database, "UPDATE spend_limits SET used = used - 5 WHERE spender_id = 'team' AND spend_window = 3")
        assert await differences(stack, "acme") == [("spend limit team NONE used", -5)]
        await limited(wire, "acme", None, NONE, TEAM)
        assert await differences(stack, "acme") == []


async def test_a_charge_of_a_clock_behind_counts_at_a_limit_set_before_it(database, monkeypatch):
    clock = LeapingClock().rule(monkeypatch)
    async with running_stack(database.url, BILLING_LOG_LEVEL="ERROR") as stack, Wire(stack.service.address) as wire:
        await grant(wire, "acme", 1_000)
        await deduct(wire, "acme", 3, spender_ids=[TEAM])
        clock.off_us += 60 * SECOND_US
        await limited(wire, "acme", 100, NONE, TEAM)
        clock.off_us -= 60 * SECOND_US
        await deduct(wire, "acme", 5, spender_ids=[TEAM])
        assert await used(wire, "acme") == {(TEAM, NONE): 5}
        assert await differences(stack, "acme") == []
        tamper(database, "UPDATE spend_limits SET used = used - 1")
        assert await differences(stack, "acme") == [("spend limit team NONE used", 5 * CREDIT - 1)], (
            "as if it came before"
        )
