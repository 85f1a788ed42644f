"""A running ledger is proven part by part, however long it takes: one call has its time, and a verification may need
more."""

import asyncio

import pytest

from billing_service.integrity import verify
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

INVALID = ("INVALID_ARGUMENT", "INVALID_FIELD")


async def filled(wire, new_account, accounts=3):
    for _ in range(accounts):
        account_id = new_account()
        await wire.do("GrantCredits", account_id=account_id, amount_microcredits=100 * CREDIT, reason="gift")
        await wire.do("DeductCredits", account_id=account_id, amount_microcredits=CREDIT)
    return account_id


async def test_a_token_goes_on_with_its_own_verification_alone(wire, new_account):
    account_id = await filled(wire, new_account)
    token = (await wire.call("VerifyLedger", page_size=1)).next_page_token
    assert token
    assert await wire.refusal("VerifyLedger", account_id=account_id, page_token=token) == INVALID
    assert await wire.refusal("VerifyLedger", page_token=token[:-1]) == INVALID
    assert await wire.refusal("VerifyLedger", page_size=-1) == INVALID
    assert await wire.refusal("ListAccounts", page_token=token) == INVALID
    assert not (await wire.call("VerifyLedger", page_size=7, page_token=token)).differences, "parts may have any size"


async def test_parts_add_up_to_the_whole(stack, wire, new_account):
    await filled(wire, new_account)
    whole = await wire.call("VerifyLedger")
    assert (whole.next_page_token, whole.transaction_total) == ("", 0)
    for size in (1, 50, 2**31 - 1):
        parts = [part async for part in stack.client.iter_verification(page_size=size)]
        assert sum(part.account_count for part in parts) == whole.account_count
        assert sum(part.transaction_count for part in parts) == whole.transaction_count
        assert sum(part.entry_count for part in parts) == whole.entry_count
        assert [part.transaction_total for part in parts] == [whole.transaction_count] + [0] * (len(parts) - 1)
        assert not any(part.differences for part in parts)


async def test_one_account_is_one_answer(wire, new_account):
    account_id = await filled(wire, new_account)
    one = await wire.call("VerifyLedger", account_id=account_id, page_size=1)
    assert (one.account_count, one.transaction_count, one.next_page_token) == (1, 2, "")


async def test_a_ledger_that_takes_longer_than_a_call_is_verified_all_the_same(database, new_account, monkeypatch):
    limit_s = 1.0
    async with (
        running_stack(database.url, BILLING_DEADLINE_DEFAULT_S=str(limit_s), STRIPE_TIMEOUT_S="0.4") as stack,
        Wire(stack.service.address) as wire,
    ):
        await filled(wire, new_account, accounts=5)
        monkeypatch.setattr(verify, "ACCOUNTS_A_READ", 1)
        slow_read = stack.service.environment.store.read

        async def read_slowly(work):
            await asyncio.sleep(limit_s / 4)
            return await slow_read(work)

        monkeypatch.setattr(stack.service.environment.store, "read", read_slowly)
        assert await wire.refusal("VerifyLedger") == ("UNAVAILABLE", "STORAGE_UNAVAILABLE")
        parts = [part async for part in stack.client.iter_verification(page_size=1)]
        assert sum(part.account_count for part in parts) == 5
        monkeypatch.undo()
