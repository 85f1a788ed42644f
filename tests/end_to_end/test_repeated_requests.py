"""A key is spent only by an effect, and gives that effect's reply for ever: after later changes, after a restart, under
another catalogue."""

from pathlib import Path

import pytest
from prepaid.billing.v1 import scopes_pb2

import billing_service.catalogs
from billing_service.clock import system_clock_us
from billing_service.commands.access.api_keys import create_key_directly
from billing_service.domain.access.api_keys import Scope
from tests.support.repeatable_requests import REQUESTS, SAME_MEANING, filled, timeless, unrepeated, world
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import METHODS, WRITES, Wire, key, outcomes, row_counts, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIVE_TIER = str(Path(billing_service.catalogs.__file__).parent / "five_tier.toml")
REUSED = ("INVALID_ARGUMENT", "IDEMPOTENCY_KEY_REUSED")


async def repeat(wire, names, first):
    for number, (rpc, fields, _) in enumerate(REQUESTS):
        again = timeless(await wire.call(rpc, **filled(fields, names), idempotency_key=f"k{number}"))
        assert again == first[number], rpc
    for number, change in SAME_MEANING:
        rpc, fields, _ = REQUESTS[number]
        again = timeless(await wire.call(rpc, **filled(fields | change, names), idempotency_key=f"k{number}"))
        assert again == first[number], (rpc, change)


async def reuse(wire, names):
    for number, (rpc, fields, changes) in enumerate(REQUESTS):
        for change in changes:
            refused = await wire.error(rpc, **filled(fields | change, names), idempotency_key=f"k{number}")
            assert told(refused) == REUSED, (rpc, change, str(refused))


async def test_every_write_and_each_of_its_fields_is_in_the_table():
    assert {rpc for rpc, _, _ in REQUESTS} == set(WRITES)
    fixed = {"idempotency_key", "payment_flow"}
    # A re-rating that is dry asks for no key, and a page token is good for no other request.
    of_one = {"ReRate": {"dry_run", "page_token"}}
    for name in {rpc for rpc, _, _ in REQUESTS}:
        changed = {field for rpc, _, changes in REQUESTS for change in changes if rpc == name for field in change}
        known = set(METHODS[name].input_type.fields_by_name)
        key_scope = {"account_id"} & known
        assert changed | key_scope == known - fixed - of_one.get(name, set()), name


async def test_the_original_reply_for_ever_and_no_other_use(database):
    async with running_stack(database.url) as stack, Wire(stack.service.address) as wire:
        names = await world(stack, wire)
        first = [
            unrepeated(rpc, await wire.call(rpc, **filled(fields, names), idempotency_key=f"k{number}"))
            for number, (rpc, fields, _) in enumerate(REQUESTS)
        ]
        await stack.webhooks()
        before = await row_counts(database)
        await repeat(wire, names, first)
        await reuse(wire, names)
        assert await row_counts(database) == before
        await stack.pay(first[1].purchase.checkout_url)
        await stack.webhooks()
        await wire.do("DeductCredits", account_id="account", amount_microcredits=10**15, mode=2)
        await wire.do("FreezeAccount", account_id="account", frozen=True, reason="later")
        await repeat(wire, names, first)
        await stack.webhooks()
    before = await row_counts(database)
    settings = {
        "BILLING_CATALOG_FILE": FIVE_TIER,
        "BILLING_CUSTOM_AMOUNT_MAX_MINOR": "500",
        "FRONTEND_URL": "https://moved.example",
    }
    async with running_stack(database.url, **settings) as stack, Wire(stack.service.address) as wire:
        await repeat(wire, names, first)
        await reuse(wire, names)
    assert await row_counts(database) == before


async def test_a_refusal_spends_no_key(wire, new_account):
    account_id = new_account()
    spending = {"account_id": account_id, "amount_microcredits": 5 * CREDIT, "idempotency_key": "k"}
    assert await wire.refusal("DeductCredits", **spending) == ("NOT_FOUND", "ACCOUNT_NOT_FOUND")
    await wire.do("CreateAccount", account_id=account_id)
    assert await wire.refusal("DeductCredits", **spending) == ("FAILED_PRECONDITION", "INSUFFICIENT_CREDITS")
    await wire.do("GrantCredits", account_id=account_id, amount_microcredits=7 * CREDIT, reason="gift")
    other = spending | {"amount_microcredits": 6 * CREDIT}
    assert not (await wire.call("DeductCredits", **other)).replayed
    assert await wire.refusal("DeductCredits", **spending) == REUSED


@pytest.mark.parametrize("rpc", ["DeductCredits", "GrantCredits", "CreateAccount", "CreatePurchase", "CreateApiKey"])
async def test_twenty_calls_with_one_key_have_one_effect(new_account, database, rpc):
    async with running_stack(database.url) as own, Wire(own.service.address) as raw:
        account_id = new_account()
        fields = {
            "DeductCredits": {"account_id": account_id, "amount_microcredits": CREDIT},
            "GrantCredits": {"account_id": account_id, "amount_microcredits": CREDIT, "reason": "gift"},
            "CreateAccount": {"account_id": account_id, "name": "A"},
            "CreatePurchase": {"account_id": account_id, "package_code": "starter"},
            "CreateApiKey": {"caller": "tester", "scopes": [1]},
        }[rpc]
        if rpc == "DeductCredits":
            await raw.do("GrantCredits", account_id=account_id, amount_microcredits=9 * CREDIT, reason="gift")
        before = await row_counts(database)
        ended = await outcomes(*(raw.call(rpc, **fields, idempotency_key="one") for _ in range(20)))
        failed = [end for end in ended if isinstance(end, Exception)]
        assert {told(error) for error in failed} <= {("UNAVAILABLE", "STRIPE_UNAVAILABLE")}, failed
        assert sum(not end.replayed for end in ended if not isinstance(end, Exception)) == 1
        await own.webhooks()
        after = await row_counts(database)
        grown = {
            table: after[table] - before[table]
            for table in ("transactions", "purchases", "api_keys", "idempotency_keys")
        }
        one = {
            "DeductCredits": "transactions",
            "GrantCredits": "transactions",
            "CreatePurchase": "purchases",
            "CreateApiKey": "api_keys",
        }
        expected = {"idempotency_keys": 1} | ({one[rpc]: 1} if rpc in one else {})
        assert grown == dict.fromkeys(grown, 0) | expected


async def test_a_caller_has_two_live_keys_however_many_are_made_at_once(wire, new_account):
    caller = new_account("caller")
    ended = await outcomes(*(wire.do("CreateApiKey", caller=caller, scopes=[1]) for _ in range(8)))
    made = [end.api_key.key_id for end in ended if not isinstance(end, Exception)]
    assert [told(end) for end in ended if isinstance(end, Exception)] == [("INVALID_ARGUMENT", "INVALID_FIELD")] * 6
    await wire.do("RevokeApiKey", key_id=made[0])
    await wire.do("CreateApiKey", caller=caller, scopes=[1])


async def test_callers_do_not_share_keys_and_scopes_are_checked_before_anything(database):
    async with running_stack(database.url, BILLING_AUTH="keys") as stack:
        environment = stack.service.environment

        async def key_for(caller, *scopes):
            return await create_key_directly(
                environment.store, system_clock_us, environment.api_key_pepper, caller, scopes
            )

        address = stack.service.address
        spender, other, rotated = [await key_for(caller, Scope.DEDUCT) for caller in ("spender", "other", "spender")]
        boss = await key_for("boss", Scope.ADMIN)
        async with (
            Wire(address, boss) as admin,
            Wire(address, spender) as one,
            Wire(address, other) as two,
            Wire(address, rotated) as one_again,
            Wire(address) as nobody,
            Wire(address, spender[:-1] + "x") as forged,
        ):
            await admin.do("GrantCredits", account_id="a", amount_microcredits=10 * CREDIT, reason="gift")
            fields = {"account_id": "a", "amount_microcredits": CREDIT, "idempotency_key": "k"}
            first = await one.call("DeductCredits", **fields)
            assert (await one_again.call("DeductCredits", **fields)).transaction_id == first.transaction_id
            assert (await two.call("DeductCredits", **fields)).transaction_id != first.transaction_id
            assert (await admin.call("GetBalance", account_id="a")).balance.available_microcredits == 8 * CREDIT
            for rpc in METHODS:
                blank = {"idempotency_key": key()} if rpc in WRITES else {}
                for stranger in (nobody, forged):
                    assert await stranger.refusal(rpc, **blank) == ("UNAUTHENTICATED", "API_KEY_INVALID"), rpc
                if METHODS[rpc].GetOptions().Extensions[scopes_pb2.required_scope] != scopes_pb2.SCOPE_DEDUCT:
                    assert await one.refusal(rpc, **blank) == ("PERMISSION_DENIED", "SCOPE_MISSING"), rpc
