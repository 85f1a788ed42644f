"""A key is spent only by an effect, and gives that effect's reply for ever: after later changes, after a restart, under
another catalogue."""

import base64
import gzip
from pathlib import Path

import pytest

import billing_service.catalogs
from billing_service.clock import system_clock_us
from billing_service.commands.access.api_keys import create_key_directly
from billing_service.domain.access.api_keys import Scope
from tests.support.rate_card_examples import card_base64, card_file
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import METHODS, WRITES, Wire, key, outcomes, row_counts, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIVE_TIER = str(Path(billing_service.catalogs.__file__).parent / "five_tier.toml")
REUSED = ("INVALID_ARGUMENT", "IDEMPOTENCY_KEY_REUSED")
OTHER_METADATA = {"metadata": {"n": "2"}}

REQUESTS = [
    (
        "CreateAccount",
        {
            "account_id": "{new}",
            "email": "a@example.com",
            "name": "A",
            "referral_code": "{code}",
            "metadata": {"n": "1"},
        },
        [{"email": "b@example.com"}, {"name": "B"}, {"referral_code": ""}, OTHER_METADATA],
    ),
    (
        "CreatePurchase",
        {
            "account_id": "{account}",
            "package_code": "standard",
            "success_url": "https://a.example/",
            "metadata": {"n": "1"},
        },
        [
            {"package_code": "pro"},
            {"package_code": "gone"},
            {"currency": "eur"},
            {"success_url": ""},
            {"cancel_url": "https://a.example/"},
            OTHER_METADATA,
        ],
    ),
    (
        "CreatePurchase",
        {"account_id": "{account}", "custom_amount_minor": 700_000},
        [
            {"custom_amount_minor": 700_001},
            {"custom_amount_minor": 1},
            {"package_code": "starter", "custom_amount_minor": None},
        ],
    ),
    ("CancelPurchase", {"purchase_id": "{pending}"}, [{"purchase_id": "{paid}"}]),
    (
        "DeductCredits",
        {"account_id": "{account}", "amount_microcredits": 5 * CREDIT, "description": "d", "metadata": {"n": "1"}},
        [{"amount_microcredits": 5 * CREDIT + 1}, {"mode": 3}, {"description": ""}, OTHER_METADATA],
    ),
    (
        "ReverseDeduction",
        {"account_id": "{account}", "transaction_id": "{deduction}", "amount_microcredits": CREDIT},
        [
            {"amount_microcredits": 2 * CREDIT},
            {"amount_microcredits": None},
            {"transaction_id": "{grant}"},
            {"reason": "r"},
        ],
    ),
    (
        "Refund",
        {"purchase_id": "{paid}", "amount_minor": 100, "reason": "r"},
        [{"amount_minor": 101}, {"amount_minor": None}, {"policy": 2}, {"reason": ""}, {"purchase_id": "{second}"}],
    ),
    ("ApplyReferral", {"account_id": "{referee}", "referral_code": "{code}"}, [{"referral_code": "{other_code}"}]),
    (
        "GrantCredits",
        {
            "account_id": "{account}",
            "amount_microcredits": CREDIT,
            "reason": "r",
            "expire_time": "2090-01-01T00:00:00Z",
        },
        [
            {"amount_microcredits": 2},
            {"reason": "s"},
            {"category": 2},
            {"priority": 49},
            {"expire_time": "2091-01-01T00:00:00Z"},
            {"expire_time": None},
            {"effective_time": "2089-01-01T00:00:00Z"},
        ],
    ),
    (
        "AdjustCredits",
        {"account_id": "{account}", "amount_microcredits": -1, "reason": "r"},
        [{"amount_microcredits": 1}, {"reason": "s"}],
    ),
    ("FreezeAccount", {"account_id": "{referee}", "frozen": True, "reason": "r"}, [{"frozen": False}, {"reason": "s"}]),
    (
        "SetOverdraftLimit",
        {"account_id": "{account}", "overdraft_limit_microcredits": 1, "reason": "r"},
        [{"overdraft_limit_microcredits": 2}, {"reason": "s"}, {"debt_max_microcredits": -1}],
    ),
    (
        "CreateApiKey",
        {"caller": "metering", "scopes": [1, 2], "expire_time": "2090-01-01T00:00:00Z"},
        [{"caller": "other"}, {"scopes": [1]}, {"expire_time": None}],
    ),
    ("RevokeApiKey", {"key_id": "{key}"}, [{"key_id": "{other_key}"}]),
    ("ReplayStripeEvent", {"event_id": "{event}"}, [{"event_id": "{other_event}"}]),
    (
        "UpdateAccount",
        {"account_id": "stranger", "email": "a@example.com", "name": "A", "metadata": {"entries": {"n": "1"}}},
        [
            {"email": "b@example.com"},
            {"email": ""},
            {"email": None},
            {"name": "B"},
            {"name": ""},
            {"name": None},
            {"metadata": {"entries": {"n": "2"}}},
            {"metadata": {}},
            {"metadata": None},
        ],
    ),
    ("CreateRateCardVersion", {"card_file": card_base64("repeated")}, [{"card_file": card_base64("other")}]),
]
SAME_MEANING = [
    (1, {"currency": "usd"}),
    (1, {"payment_flow": 1}),
    (4, {"mode": 1}),
    (6, {"policy": 1}),
    (8, {"category": 1}),
    (8, {"priority": 50}),
    (12, {"scopes": [2, 1, 2]}),
    (16, {"card_file": base64.b64encode(gzip.compress(b" " + card_file("repeated"))).decode()}),
]


def filled(fields, names):
    sent = {
        name: value.format(**names) if isinstance(value, str) and value.startswith("{") else value
        for name, value in fields.items()
    }
    return {name: value for name, value in sent.items() if value is not None}


async def world(stack, wire):
    """What the placeholders above stand for."""
    account = "account"
    paid, second = await stack.buy(account), await stack.buy(account)
    pending = (await wire.do("CreatePurchase", account_id=account, package_code="starter")).purchase
    deduction = await wire.do("DeductCredits", account_id=account, amount_microcredits=9 * CREDIT)
    grant = await wire.do("GrantCredits", account_id="friend", amount_microcredits=1, reason="gift")
    keys = [
        (await wire.do("CreateApiKey", caller=f"caller-{number}", scopes=[1])).api_key.key_id for number in range(2)
    ]
    await wire.do("CreateAccount", account_id="stranger")
    await stack.webhooks()
    events = [event.event_id for event in (await wire.call("ListStripeEvents")).events]
    codes = [(await wire.call("GetReferral", account_id=name)).referral_code for name in ("friend", "stranger")]
    return {
        "new": "new-account",
        "account": account,
        "referee": "referee",
        "paid": paid.purchase_id,
        "second": second.purchase_id,
        "pending": pending.purchase_id,
        "deduction": deduction.transaction_id,
        "grant": grant.transaction_id,
        "code": codes[0],
        "other_code": codes[1],
        "key": keys[0],
        "other_key": keys[1],
        "event": events[-1],
        "other_event": events[0],
    }


def unrepeated(rpc, answer):
    """An answer as its repetition must be, but for `replayed`."""
    if rpc == "CreateApiKey":
        assert answer.secret
        answer.secret = ""
    assert not answer.replayed
    answer.replayed = True
    return answer


async def repeat(wire, names, first):
    for number, (rpc, fields, _) in enumerate(REQUESTS):
        again = await wire.call(rpc, **filled(fields, names), idempotency_key=f"k{number}")
        assert again == first[number], rpc
    for number, change in SAME_MEANING:
        rpc, fields, _ = REQUESTS[number]
        again = await wire.call(rpc, **filled(fields | change, names), idempotency_key=f"k{number}")
        assert again == first[number], (rpc, change)


async def reuse(wire, names):
    for number, (rpc, fields, changes) in enumerate(REQUESTS):
        for change in changes:
            refused = await wire.error(rpc, **filled(fields | change, names), idempotency_key=f"k{number}")
            assert told(refused) == REUSED, (rpc, change, str(refused))


async def test_every_write_and_each_of_its_fields_is_in_the_table():
    assert {rpc for rpc, _, _ in REQUESTS} == set(WRITES)
    fixed = {"idempotency_key", "payment_flow"}
    for name in {rpc for rpc, _, _ in REQUESTS}:
        changed = {field for rpc, _, changes in REQUESTS for change in changes if rpc == name for field in change}
        known = set(METHODS[name].input_type.fields_by_name)
        key_scope = {"account_id"} & known
        assert changed | key_scope == known - fixed, name


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
                if rpc not in ("DeductCredits", "BatchDeductCredits", "StreamDeductions", "ReverseDeduction"):
                    assert await one.refusal(rpc, **blank) == ("PERMISSION_DENIED", "SCOPE_MISSING"), rpc
