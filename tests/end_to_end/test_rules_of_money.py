"""The rules against free credits and double charges, each with the case that would break it, over a real socket on both
stores."""

from contextlib import AsyncExitStack

import pytest

from billing_service.clock import system_clock_us
from billing_service.commands.access.api_keys import create_key_directly
from billing_service.domain.access.api_keys import Scope
from tests.end_to_end.money import ALLOW_DEBT, UP_TO_AVAILABLE, deduct, grant, shown
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import Wire, key, outcomes, row_counts, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHORT = ("FAILED_PRECONDITION", "INSUFFICIENT_CREDITS")


async def refused_debt(wire, account_id, credits_):
    fields = {
        "account_id": account_id,
        "amount_microcredits": credits_ * CREDIT,
        "mode": ALLOW_DEBT,
        "idempotency_key": key(),
    }
    refused = await wire.error("DeductCredits", **fields)
    assert told(refused) == SHORT
    batch = await wire.call("BatchDeductCredits", deductions=[fields])
    assert batch.outcomes[0].refused.code == 9
    return {name.removesuffix("_microcredits"): int(value) // CREDIT for name, value in refused.metadata.items()}


async def test_a_debt_that_is_allowed_has_a_bound(wire, new_account):
    """An account with 1 credit, and a million more asked for."""
    account_id = new_account()
    await grant(wire, account_id, 1)
    figures = await refused_debt(wire, account_id, 1_000_000)
    assert figures == {"available": 1, "required": 1_000_000, "shortfall": 989_999, "debt_max": 10_000}
    assert await shown(wire, account_id) == (1, 0, 0)
    await deduct(wire, account_id, 10_001, ALLOW_DEBT)
    assert await shown(wire, account_id) == (0, 0, 10_000)
    assert (await refused_debt(wire, account_id, 1))["shortfall"] == 1
    limit = {"account_id": account_id, "overdraft_limit_microcredits": 0, "reason": "pays by invoice"}
    raised = await wire.do("SetOverdraftLimit", **limit, debt_max_microcredits=25_000 * CREDIT)
    assert raised.account.debt_max_microcredits == 25_000 * CREDIT
    await deduct(wire, account_id, 15_000, ALLOW_DEBT)
    assert await refused_debt(wire, account_id, 1) == {
        "available": 0,
        "required": 1,
        "shortfall": 1,
        "debt_max": 25_000,
    }
    unchanged = await wire.do("SetOverdraftLimit", **limit)
    assert unchanged.account.debt_max_microcredits == 25_000 * CREDIT
    back = await wire.do("SetOverdraftLimit", **limit, debt_max_microcredits=-1)
    assert back.account.debt_max_microcredits == 10_000 * CREDIT
    assert (await wire.call("GetAccount", account_id=account_id)).account == back.account
    assert await shown(wire, account_id) == (0, 0, 25_000), "debt above a lowered bound stays"


async def test_a_higher_overdraft_limit_is_the_bound(wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 1)
    limits = {"overdraft_limit_microcredits": 300 * CREDIT, "debt_max_microcredits": 100 * CREDIT}
    made = await wire.do("SetOverdraftLimit", account_id=account_id, **limits, reason="credit line")
    assert made.account.debt_max_microcredits == 300 * CREDIT
    assert (await refused_debt(wire, account_id, 302))["debt_max"] == 300
    await deduct(wire, account_id, 301, ALLOW_DEBT)
    assert await shown(wire, account_id) == (0, 0, 300)


async def test_what_is_taken_back_may_owe_more(stack, wire, new_account):
    """The bound is for what callers allow: a refund of spent credits owes all of them."""
    account_id = new_account()
    await wire.do("CreateAccount", account_id=account_id)
    limits = {"overdraft_limit_microcredits": 0, "debt_max_microcredits": 0}
    await wire.do("SetOverdraftLimit", account_id=account_id, **limits, reason="no debt")
    bought = await stack.buy(account_id)
    await deduct(wire, account_id, 1000)
    assert (await refused_debt(wire, account_id, 1))["debt_max"] == 0
    await wire.do("Refund", purchase_id=bought.purchase_id, policy=2)
    assert await shown(wire, account_id) == (0, 0, 1000)


async def test_the_bound_of_debt_is_a_setting(database, new_account):
    async with running_stack(database.url, BILLING_DEBT_MAX_CREDITS="5") as stack, Wire(stack.service.address) as wire:
        account_id = new_account()
        made = await wire.do("CreateAccount", account_id=account_id)
        assert made.account.debt_max_microcredits == 5 * CREDIT
        assert (await refused_debt(wire, account_id, 6))["debt_max"] == 5
        await deduct(wire, account_id, 5, ALLOW_DEBT)
        assert await shown(wire, account_id) == (0, 0, 5)


@pytest.mark.parametrize("way", ["unary", "batch", "stream"])
async def test_an_answer_of_nothing_is_kept_like_any_other(stack, wire, new_account, way):
    """A late duplicate of a deduction that took 0 arrives after a top-up of $80: it took 10,000 credits that its caller
    counts as free."""
    account_id = new_account()
    await wire.do("CreateAccount", account_id=account_id)
    fields = {
        "account_id": account_id,
        "amount_microcredits": 10_000 * CREDIT,
        "mode": UP_TO_AVAILABLE,
        "idempotency_key": "late",
    }

    async def ask():
        if way == "unary":
            return await wire.call("DeductCredits", **fields)
        if way == "batch":
            return (await wire.call("BatchDeductCredits", deductions=[fields])).outcomes[0].deducted
        return (await wire.call("StreamDeductions", deduction=fields)).outcome.deducted

    first = await ask()
    assert (first.deducted_microcredits, first.replayed, list(first.draws)) == (0, False, [])
    assert first.transaction_id
    bought = await stack.buy(account_id, "pro")
    assert bought.amount_minor == 8_000
    again = await ask()
    assert (again.transaction_id, again.deducted_microcredits, again.replayed) == (first.transaction_id, 0, True)
    assert await shown(wire, account_id) == (10_000, 0, 0)
    rows = (await wire.call("ListTransactions", account_id=account_id)).transactions
    assert [(row.transaction_id, row.amount_microcredits, row.account_version) for row in rows[1:]] == [
        (first.transaction_id, 0, 1)
    ]
    refused = await wire.error(
        "ReverseDeduction", account_id=account_id, transaction_id=first.transaction_id, idempotency_key=key()
    )
    assert told(refused) == ("FAILED_PRECONDITION", "DEDUCTION_ALREADY_REVERSED")
    assert refused.metadata == {"reversible_microcredits": "0"}


async def test_what_changes_nothing_is_answered_once_as_well(stack, wire, new_account, stored):
    account_id = new_account()
    await grant(wire, account_id, 1)
    made = await wire.do("CreateApiKey", caller=new_account("caller"), scopes=[1])
    await wire.do("RevokeApiKey", key_id=made.api_key.key_id)
    await stack.buy(account_id)
    event = (await wire.call("ListStripeEvents")).events[0]
    nothing = [
        ("FreezeAccount", {"account_id": account_id, "frozen": False, "reason": "as it is"}),
        ("SetOverdraftLimit", {"account_id": account_id, "overdraft_limit_microcredits": 0, "reason": "as it is"}),
        ("RevokeApiKey", {"key_id": made.api_key.key_id}),
        ("ReplayStripeEvent", {"event_id": event.event_id}),
    ]
    await stack.webhooks()
    before = await row_counts(stored)
    first = [await wire.call(rpc, **fields, idempotency_key="same") for rpc, fields in nothing]
    after = await row_counts(stored)
    assert after["idempotency_keys"] - before["idempotency_keys"] == len(nothing)
    await wire.do("FreezeAccount", account_id=account_id, frozen=True, reason="later")
    await wire.do("SetOverdraftLimit", account_id=account_id, overdraft_limit_microcredits=5, reason="later")
    await wire.do("ReplayStripeEvent", event_id=event.event_id)
    for (rpc, fields), answer in zip(nothing, first, strict=True):
        assert not answer.replayed
        again = await wire.call(rpc, **fields, idempotency_key="same")
        assert again.replayed
        again.replayed = False
        assert again == answer, rpc


DAY_US = 86_400_000_000
LATE, NOT_YOURS = ("FAILED_PRECONDITION", "REVERSAL_TOO_LATE"), ("PERMISSION_DENIED", "NOT_YOURS")


async def test_a_caller_undoes_its_own_deductions_for_a_while(database, new_account, monkeypatch):
    """A leaked metering key walks the history and reverses a year: 1,000,000 credits of usage would return."""
    shift = [0]
    monkeypatch.setattr("billing_service.bootstrap.system_clock_us", lambda: system_clock_us() + shift[0])
    account_id = new_account()
    async with AsyncExitStack() as open_:
        stack = await open_.enter_async_context(running_stack(database.url, BILLING_AUTH="keys"))
        environment = stack.service.environment

        async def caller(name, *scopes):
            api_key = await create_key_directly(
                environment.store, environment.clock_us, environment.api_key_pepper, name, scopes
            )
            return await open_.enter_async_context(Wire(stack.service.address, api_key))

        operator, metering = await caller("ops", Scope.ADMIN), await caller("metering", Scope.DEDUCT)
        other, rotated = await caller("other", Scope.DEDUCT), await caller("metering", Scope.DEDUCT)
        await grant(operator, account_id, 1_000_000)
        old = [(await deduct(wire, account_id, 400_000)).transaction_id for wire in (metering, other)]
        shift[0] += 7 * DAY_US + 60_000_000
        new = [(await deduct(wire, account_id, 100_000)).transaction_id for wire in (metering, other)]

        async def undo(wire, transaction_id, idempotency_key="undo"):
            fields = {"account_id": account_id, "transaction_id": transaction_id, "idempotency_key": idempotency_key}
            return await wire.attempt("ReverseDeduction", **fields)

        assert told(await undo(metering, old[0])) == LATE
        assert (await undo(metering, old[0])).metadata == {"reversal_window_s": "604800"}
        for transaction_id in (old[1], new[1]):
            assert told(await undo(metering, transaction_id)) == NOT_YOURS
        assert told(await undo(other, new[0])) == NOT_YOURS
        assert await shown(operator, account_id) == (0, 0, 0)
        first = await undo(metering, new[0])  # refusals left the key free
        assert (first.reversed_microcredits, first.replayed) == (100_000 * CREDIT, False)
        assert (await undo(rotated, new[0])).transaction_id == first.transaction_id, (
            "a caller keeps its name when its key is rotated"
        )
        for transaction_id, amount in ((old[0], 400_000), (old[1], 400_000), (new[1], 100_000)):
            assert (await undo(operator, transaction_id, transaction_id)).reversed_microcredits == amount * CREDIT
        shift[0] += 365 * DAY_US
        assert (await undo(metering, new[0])).replayed, "an answer is repeated whenever it is asked for"
        assert await shown(operator, account_id) == (1_000_000, 0, 0)


async def test_the_window_of_reversal_is_a_setting(database, new_account):
    async with AsyncExitStack() as open_:
        settings = {"BILLING_AUTH": "keys", "BILLING_REVERSAL_WINDOW_S": "0"}
        stack = await open_.enter_async_context(running_stack(database.url, **settings))
        environment = stack.service.environment
        keys = [
            await create_key_directly(
                environment.store, environment.clock_us, environment.api_key_pepper, name, [scope]
            )
            for name, scope in (("ops", Scope.ADMIN), ("metering", Scope.DEDUCT))
        ]
        operator, metering = [await open_.enter_async_context(Wire(stack.service.address, api_key)) for api_key in keys]
        account_id = new_account()
        await grant(operator, account_id, 10)
        fields = {"account_id": account_id, "transaction_id": (await deduct(metering, account_id, 1)).transaction_id}
        assert told(await metering.error("ReverseDeduction", **fields, idempotency_key="k")) == LATE
        assert (await operator.do("ReverseDeduction", **fields)).reversed_microcredits == CREDIT


async def test_one_key_of_no_account_at_once_has_one_answer(stack, wire, new_account):
    await stack.buy(new_account())
    event = (await wire.call("ListStripeEvents")).events[0]
    ended = await outcomes(
        *(wire.call("ReplayStripeEvent", event_id=event.event_id, idempotency_key="at once") for _ in range(12))
    )
    assert not [end for end in ended if isinstance(end, Exception)]
    assert [end.replayed for end in ended].count(False) == 1
