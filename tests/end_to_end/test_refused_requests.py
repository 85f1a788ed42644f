"""Every RPC, every way to ask wrongly: the exact status, the exact reason, the field by name, and nothing stored."""

import itertools
import random

import pytest
import pytest_asyncio
from billing_client.errors import BillingError, InvalidField
from stack import CREDIT
from wire import METHODS, WRITES, key, row_counts, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOO_MUCH = 10**15 + 1
INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)
EARLY, LATE = "1999-12-31T23:59:59Z", "2020-01-01T00:00:00Z"
_worlds = {}

ACCOUNT = {"account_id": "{payer}"}
VALID = {
    "CreateAccount": {"account_id": "{free}"},
    "GetAccount": ACCOUNT,
    "GetBalance": ACCOUNT,
    "ListTransactions": ACCOUNT,
    "ListPackages": {},
    "CreatePurchase": ACCOUNT | {"package_code": "starter"},
    "GetPurchase": {"purchase_id": "{pending}"},
    "ListPurchases": ACCOUNT,
    "CancelPurchase": {"purchase_id": "{pending}"},
    "DeductCredits": ACCOUNT | {"amount_microcredits": 1},
    "ReverseDeduction": ACCOUNT | {"transaction_id": "{deduction}"},
    "QuoteRefund": {"purchase_id": "{paid}"},
    "Refund": {"purchase_id": "{paid}", "amount_minor": 1},
    "ApplyReferral": {"account_id": "{free}", "referral_code": "{code}"},
    "GetReferral": ACCOUNT,
    "GrantCredits": ACCOUNT | {"amount_microcredits": 1, "reason": "gift"},
    "AdjustCredits": ACCOUNT | {"amount_microcredits": 1, "reason": "correction"},
    "FreezeAccount": ACCOUNT | {"frozen": False, "reason": "thaw"},
    "SetOverdraftLimit": ACCOUNT | {"overdraft_limit_microcredits": 0, "reason": "none"},
    "ListAccounts": {},
    "ListStripeEvents": {},
    "ReplayStripeEvent": {"event_id": "{event}"},
    "CreateApiKey": {"caller": "tester", "scopes": ["SCOPE_READ"]},
    "ListApiKeys": {},
    "RevokeApiKey": {"key_id": "nobody"},
    "ListAuditRecords": {},
    "VerifyLedger": {},
    "ProcessStripeEvent": {"payload": "e30=", "stripe_signature": "t=1,v1=00"},
}
INVALID_ACCOUNTS = ("", "a" * 129, "a\n", "a\x00", "a\u200bb", "\ue000", "a\u00a0b")


def _bad_fields():
    for rpc, fields in VALID.items():
        if "account_id" in METHODS[rpc].input_type.fields_by_name and rpc not in ("VerifyLedger", "ListAuditRecords"):
            yield from ((rpc, {**fields, "account_id": bad}, "account_id") for bad in INVALID_ACCOUNTS)
        if rpc in WRITES:
            yield from ((rpc, {**fields, "idempotency_key": bad}, "idempotency_key") for bad in ("", "k" * 256, "k\t", "k\x7f"))
        if "page_size" in METHODS[rpc].input_type.fields_by_name:
            yield rpc, {**fields, "page_size": -1}, "page_size"
            yield from ((rpc, {**fields, "page_token": bad}, "page_token") for bad in ("x", "AAAA", "A" * 5000, "é", "{foreign_token}"))
        if "reason" in METHODS[rpc].input_type.fields_by_name:
            yield from ((rpc, {**fields, "reason": bad}, "reason") for bad in ("r" * 501, "a\x00b", "\x1b[2J"))
        if rpc in ("GrantCredits", "AdjustCredits", "FreezeAccount", "SetOverdraftLimit"):
            yield from ((rpc, {**fields, "reason": bad}, "reason") for bad in ("", "   "))
        if "metadata" in METHODS[rpc].input_type.fields_by_name:
            yield rpc, {**fields, "metadata": {f"k{number}": "" for number in range(51)}}, "metadata"
            yield rpc, {**fields, "metadata": {"": "v"}}, "metadata name"
            yield rpc, {**fields, "metadata": {"k" * 41: "v"}}, "metadata name"
            yield rpc, {**fields, "metadata": {"k": "v" * 501}}, "metadata[k]"
            yield rpc, {**fields, "metadata": {"k": "\x00"}}, "metadata[k]"
    for rpc in ("VerifyLedger", "ListAuditRecords"):
        yield from ((rpc, {"account_id": bad}, "account_id") for bad in INVALID_ACCOUNTS[1:])
    for rpc, amounts in (
        ("DeductCredits", (0, -1, TOO_MUCH, INT64_MAX, INT64_MIN)),
        ("GrantCredits", (0, -1, TOO_MUCH, INT64_MAX, INT64_MIN)),
        ("ReverseDeduction", (0, -1, TOO_MUCH, INT64_MIN)),
        ("AdjustCredits", (0, TOO_MUCH, -TOO_MUCH, INT64_MAX, INT64_MIN)),
    ):
        yield from ((rpc, {**VALID[rpc], "amount_microcredits": bad}, "amount_microcredits") for bad in amounts)


OTHER = [
    ("DeductCredits", ACCOUNT, "cost"),
    ("DeductCredits", VALID["DeductCredits"] | {"mode": 4}, "mode"),
    ("DeductCredits", VALID["DeductCredits"] | {"mode": -1}, "mode"),
    ("DeductCredits", VALID["DeductCredits"] | {"description": "d" * 501}, "description"),
    ("DeductCredits", VALID["DeductCredits"] | {"description": "\x08"}, "description"),
    ("ReverseDeduction", ACCOUNT, "transaction_id"),
    ("ReverseDeduction", ACCOUNT | {"transaction_id": "t" * 129}, "transaction_id"),
    ("ListTransactions", ACCOUNT | {"kind": 11}, "kind"),
    ("ListTransactions", ACCOUNT | {"start_time": EARLY}, "start_time"),
    ("ListTransactions", ACCOUNT | {"end_time": EARLY}, "end_time"),
    ("CreateAccount", VALID["CreateAccount"] | {"email": "no at sign"}, "email"),
    ("CreateAccount", VALID["CreateAccount"] | {"email": "e" * 320 + "@x"}, "email"),
    ("CreateAccount", VALID["CreateAccount"] | {"name": "n" * 257}, "name"),
    ("CreateAccount", VALID["CreateAccount"] | {"name": "a\x00"}, "name"),
    ("CreatePurchase", ACCOUNT, "item"),
    ("CreatePurchase", ACCOUNT | {"package_code": ""}, "package_code"),
    ("CreatePurchase", ACCOUNT | {"package_code": "p" * 256}, "package_code"),
    *(
        ("CreatePurchase", ACCOUNT | {"custom_amount_minor": bad}, "custom_amount_minor")
        for bad in (0, -1, 99, 1_000_001, INT64_MAX, INT64_MIN)
    ),
    *(("CreatePurchase", VALID["CreatePurchase"] | {"currency": bad}, "currency") for bad in ("eur", "USD", "us", "dollar", "\x00")),
    *(("CreatePurchase", VALID["CreatePurchase"] | {"payment_flow": bad}, "payment_flow") for bad in (2, 3, -1)),
    *(
        ("CreatePurchase", VALID["CreatePurchase"] | {field: bad}, field)
        for field, bad in itertools.product(
            ("success_url", "cancel_url"),
            (
                "nowhere",
                "ftp://a.example/",
                "javascript:alert(1)",
                "https://user@a.example/",
                "https:///x",
                f"https://a.example/{'p' * 1983}",
            ),
        )
    ),
    ("GetPurchase", {}, "id"),
    ("GetPurchase", {"purchase_id": ""}, "purchase_id"),
    ("GetPurchase", {"checkout_session_id": "c" * 256}, "checkout_session_id"),
    ("CancelPurchase", {}, "purchase_id"),
    ("QuoteRefund", {}, "purchase_id"),
    ("QuoteRefund", VALID["QuoteRefund"] | {"policy": 3}, "policy"),
    ("Refund", {"amount_minor": 1}, "purchase_id"),
    *(("Refund", {"purchase_id": "{paid}", "amount_minor": bad}, "amount_minor") for bad in (0, -1, TOO_MUCH, INT64_MIN)),
    ("Refund", VALID["Refund"] | {"policy": -1}, "policy"),
    ("ApplyReferral", {"account_id": "{free}"}, "referral_code"),
    ("ApplyReferral", {"account_id": "{free}", "referral_code": "c" * 256}, "referral_code"),
    ("GrantCredits", VALID["GrantCredits"] | {"category": 4}, "category"),
    ("GrantCredits", VALID["GrantCredits"] | {"priority": 101}, "priority"),
    ("GrantCredits", VALID["GrantCredits"] | {"priority": -1}, "priority"),
    ("GrantCredits", VALID["GrantCredits"] | {"expire_time": LATE}, "expire_time"),
    ("GrantCredits", VALID["GrantCredits"] | {"expire_time": EARLY}, "expire_time"),
    ("GrantCredits", VALID["GrantCredits"] | {"effective_time": EARLY}, "effective_time"),
    (
        "GrantCredits",
        VALID["GrantCredits"] | {"effective_time": "2099-01-02T00:00:00Z", "expire_time": "2099-01-01T00:00:00Z"},
        "expire_time",
    ),
    *(
        ("SetOverdraftLimit", VALID["SetOverdraftLimit"] | {"overdraft_limit_microcredits": bad}, "overdraft_limit_microcredits")
        for bad in (-1, TOO_MUCH, INT64_MIN)
    ),
    ("ListStripeEvents", {"status": 5}, "status"),
    ("ReplayStripeEvent", {}, "event_id"),
    ("CreateApiKey", {"scopes": ["SCOPE_READ"]}, "caller"),
    ("CreateApiKey", {"caller": "Upper", "scopes": ["SCOPE_READ"]}, "caller"),
    ("CreateApiKey", {"caller": "c" * 65, "scopes": ["SCOPE_READ"]}, "caller"),
    ("CreateApiKey", {"caller": "tester"}, "scopes"),
    ("CreateApiKey", {"caller": "tester", "scopes": [0]}, "scopes"),
    ("CreateApiKey", {"caller": "tester", "scopes": [7]}, "scopes"),
    ("CreateApiKey", VALID["CreateApiKey"] | {"expire_time": LATE}, "expire_time"),
    ("RevokeApiKey", {}, "key_id"),
    ("ProcessStripeEvent", {"stripe_signature": "t=1,v1=00"}, "payload"),
    ("ProcessStripeEvent", {"payload": "e30="}, "stripe_signature"),
    ("ProcessStripeEvent", {"payload": "e30=", "stripe_signature": "s" * 8193}, "stripe_signature"),
]
NOBODY = {"account_id": "nobody-is-called-this"}
REFUSED = [
    ("CreateAccount", {"account_id": "{payer}"}, "ALREADY_EXISTS", "ACCOUNT_EXISTS"),
    ("CreateAccount", {"account_id": "{free}", "referral_code": "ZZZZZZZZ"}, "NOT_FOUND", "REFERRAL_CODE_NOT_FOUND"),
    ("CreateAccount", {"account_id": "{free}", "referral_code": "not a code"}, "NOT_FOUND", "REFERRAL_CODE_NOT_FOUND"),
    *((rpc, VALID[rpc] | NOBODY, "NOT_FOUND", "ACCOUNT_NOT_FOUND") for rpc in ("GetAccount", "GetBalance", "ListTransactions")),
    *((rpc, VALID[rpc] | NOBODY, "NOT_FOUND", "ACCOUNT_NOT_FOUND") for rpc in ("ListPurchases", "GetReferral", "DeductCredits")),
    *((rpc, VALID[rpc] | NOBODY, "NOT_FOUND", "ACCOUNT_NOT_FOUND") for rpc in ("ReverseDeduction", "AdjustCredits", "FreezeAccount")),
    ("SetOverdraftLimit", VALID["SetOverdraftLimit"] | NOBODY, "NOT_FOUND", "ACCOUNT_NOT_FOUND"),
    ("CreatePurchase", {"account_id": "{free}", "package_code": "gold"}, "INVALID_ARGUMENT", "UNKNOWN_PACKAGE"),
    ("CreatePurchase", {"account_id": "{free}", "package_code": "STARTER"}, "INVALID_ARGUMENT", "UNKNOWN_PACKAGE"),
    *((rpc, VALID[rpc] | {"purchase_id": "pur_none"}, "NOT_FOUND", "PURCHASE_NOT_FOUND") for rpc in ("GetPurchase", "CancelPurchase")),
    *((rpc, VALID[rpc] | {"purchase_id": "pur_none"}, "NOT_FOUND", "PURCHASE_NOT_FOUND") for rpc in ("QuoteRefund", "Refund")),
    ("GetPurchase", {"checkout_session_id": "cs_none"}, "NOT_FOUND", "PURCHASE_NOT_FOUND"),
    ("CancelPurchase", {"purchase_id": "{paid}"}, "FAILED_PRECONDITION", "PURCHASE_NOT_CANCELABLE"),
    ("QuoteRefund", {"purchase_id": "{pending}"}, "FAILED_PRECONDITION", "PURCHASE_NOT_REFUNDABLE"),
    ("Refund", {"purchase_id": "{pending}"}, "FAILED_PRECONDITION", "PURCHASE_NOT_REFUNDABLE"),
    ("Refund", {"purchase_id": "{paid}", "amount_minor": 1001, "policy": 2}, "FAILED_PRECONDITION", "CREDITS_ALREADY_SPENT"),
    ("DeductCredits", ACCOUNT | {"amount_microcredits": 10**15}, "FAILED_PRECONDITION", "INSUFFICIENT_CREDITS"),
    ("AdjustCredits", VALID["AdjustCredits"] | {"amount_microcredits": -(10**15)}, "FAILED_PRECONDITION", "INSUFFICIENT_CREDITS"),
    ("ReverseDeduction", ACCOUNT | {"transaction_id": "txn_none"}, "NOT_FOUND", "TRANSACTION_NOT_FOUND"),
    ("ReverseDeduction", {"account_id": "{other}", "transaction_id": "{deduction}"}, "NOT_FOUND", "TRANSACTION_NOT_FOUND"),
    ("ReverseDeduction", ACCOUNT | {"transaction_id": "{grant}"}, "FAILED_PRECONDITION", "TRANSACTION_NOT_REVERSIBLE"),
    (
        "ReverseDeduction",
        ACCOUNT | {"transaction_id": "{deduction}", "amount_microcredits": 5 * CREDIT + 1},
        "FAILED_PRECONDITION",
        "DEDUCTION_ALREADY_REVERSED",
    ),
    ("ApplyReferral", {"account_id": "{free}", "referral_code": "ZZZZZZZZ"}, "NOT_FOUND", "REFERRAL_CODE_NOT_FOUND"),
    ("ApplyReferral", {"account_id": "{free}", "referral_code": "é"}, "NOT_FOUND", "REFERRAL_CODE_NOT_FOUND"),
    ("ApplyReferral", {"account_id": "{other}", "referral_code": "{code}"}, "FAILED_PRECONDITION", "SELF_REFERRAL"),
    ("ApplyReferral", {"account_id": "{payer}", "referral_code": "{code}"}, "FAILED_PRECONDITION", "REFERRAL_TOO_LATE"),
    ("ReplayStripeEvent", {"event_id": "evt_none"}, "NOT_FOUND", "STRIPE_EVENT_NOT_FOUND"),
    ("RevokeApiKey", {"key_id": "nobody"}, "NOT_FOUND", "API_KEY_NOT_FOUND"),
    ("ProcessStripeEvent", {"payload": "e30=", "stripe_signature": "t=1,v1=00"}, "INVALID_ARGUMENT", "SIGNATURE_INVALID"),
]


@pytest_asyncio.fixture(loop_scope="session")
async def world(stack, wire, new_account):
    """What the placeholders in the tables stand for; made once for each store."""
    if id(stack) not in _worlds:
        payer, other = new_account("payer"), new_account("other")
        paid = await stack.buy(payer)
        pending = await stack.client.create_purchase(account_id=payer, package_code="starter")
        deduction = await stack.client.deduct_credits(account_id=payer, amount_microcredits=5 * CREDIT)
        grant = await wire.do("GrantCredits", account_id=other, amount_microcredits=CREDIT, reason="gift")
        moved = await wire.do("GrantCredits", account_id=payer, amount_microcredits=CREDIT, reason="gift")
        await wire.do("AdjustCredits", account_id=other, amount_microcredits=CREDIT, reason="more")
        await stack.webhooks()
        events = (await stack.client.list_stripe_events()).events
        assert grant.lot_id
        _worlds[id(stack)] = {
            "payer": payer,
            "other": other,
            "free": "nobody-yet",
            "paid": paid.purchase_id,
            "pending": pending.purchase.purchase_id,
            "deduction": deduction.transaction_id,
            "grant": moved.transaction_id,
            "code": (await wire.call("GetReferral", account_id=other)).referral_code,
            "event": next(event.event_id for event in events if event.event_type == "checkout.session.completed"),
            "foreign_token": (await wire.call("ListTransactions", account_id=other, page_size=1)).next_page_token,
        }
    return _worlds[id(stack)]


def filled(fields, world):
    return {name: value.format(**world) if isinstance(value, str) and value.startswith("{") else value for name, value in fields.items()}


async def test_fields_that_are_wrong_are_named(wire, world, stored):
    assert world["foreign_token"]
    before, wrong = await row_counts(stored), []
    for rpc, fields, field in [*_bad_fields(), *OTHER]:
        sent = filled(fields, world)
        if rpc in WRITES:
            sent = {"idempotency_key": key(), **sent}
        try:
            answer = await wire.call(rpc, **sent)
        except BillingError as error:
            named = [name for name, description in error.violations if description]
            if told(error) != ("INVALID_ARGUMENT", "INVALID_FIELD") or named != [field]:
                wrong.append((rpc, field, fields, str(error), named))
        else:
            wrong.append((rpc, field, fields, answer))
    assert not wrong
    assert await row_counts(stored) == before


async def test_refusals_have_their_own_status_and_reason(wire, world, stored):
    before, wrong = await row_counts(stored), []
    for rpc, fields, status, reason in REFUSED:
        spare = {"idempotency_key": key()} if rpc in WRITES else {}
        try:
            answer = await wire.call(rpc, **spare, **filled(fields, world))
        except BillingError as error:
            if told(error) != (status, reason):
                wrong.append((rpc, fields, reason, str(error)))
        else:
            wrong.append((rpc, fields, reason, answer))
    assert not wrong
    assert await row_counts(stored) == before


async def test_the_tables_know_every_rpc():
    assert VALID.keys() == METHODS.keys()
    assert len(WRITES) == 14
    writing = {"Create", "Cancel", "Deduct", "Reverse", "Refund", "Apply", "Grant", "Adjust", "Freeze", "Set", "Replay", "Revoke"}
    assert set(WRITES) == {name for name in METHODS if any(name.startswith(word) for word in writing)}


async def test_a_valid_request_of_the_table_is_valid(wire, world):
    """Else the tables above would prove nothing: each of their requests is one of these with one field spoilt."""
    for rpc in (
        "GetAccount",
        "GetBalance",
        "ListTransactions",
        "ListPackages",
        "GetPurchase",
        "ListPurchases",
        "QuoteRefund",
        "GetReferral",
    ):
        await wire.call(rpc, **filled(VALID[rpc], world))
    for rpc in ("ListAccounts", "ListStripeEvents", "ListApiKeys", "ListAuditRecords", "VerifyLedger"):
        await wire.call(rpc, **filled(VALID[rpc], world))
    for rpc in ("DeductCredits", "GrantCredits", "AdjustCredits", "FreezeAccount", "SetOverdraftLimit", "ReplayStripeEvent"):
        await wire.do(rpc, **filled(VALID[rpc], world))


@pytest.mark.parametrize("rpc", sorted(METHODS))
async def test_garbage_is_never_a_defect(wire, stored, rpc):
    """Random bytes, half messages, wrong types: a typed answer, and nothing stored."""
    chance = random.Random(rpc)
    before, taken = await row_counts(stored), 0
    valid = METHODS[rpc].input_type
    for _ in range(25):
        raw = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 60)))
        if chance.random() < 0.5 and valid.fields:  # noqa: PLR2004
            number = chance.choice(list(valid.fields)).number
            raw = bytes([number << 3 | chance.choice((0, 2)), chance.randrange(128)]) + raw
        try:
            await wire.bytes_call(rpc, raw)
        except BillingError as error:
            assert told(error)[0] in ("INVALID_ARGUMENT", "NOT_FOUND"), (raw, str(error))
            assert error.reason, (raw, str(error))
        else:
            taken += 1
    assert rpc not in WRITES or not taken
    assert await row_counts(stored) == before


async def test_a_request_that_is_too_large_is_refused(wire, stack):
    raw = b"\x0a\x80\x80\x08" + b"a" * 131_072
    with pytest.raises(InvalidField):
        await wire.bytes_call("GetBalance", raw)
    with pytest.raises(InvalidField):
        await wire.deliver(b" " * (256 * 1024 + 1))
    assert (await stack.client.list_packages()).packages


async def test_words_in_any_script_are_kept_as_they_are(wire, new_account):
    account_id = new_account("账户 λ ñ 😀")
    made = await wire.do(
        "CreateAccount", account_id=account_id, name="Zoë\nŁukasz\t😀", email="ü@exämple.org", metadata={"ключ": "值" * 500}
    )
    read = (await wire.call("GetAccount", account_id=account_id)).account
    assert (read.account_id, read.name, dict(read.metadata)) == (account_id, "Zoë\nŁukasz\t😀", {"ключ": "值" * 500})
    assert made.account.email == "ü@exämple.org"


async def test_accounts_of_the_longest_ids_can_be_listed(wire, new_account):
    made = {(new_account("长") + "😀" * 128)[:128] for _ in range(3)}
    for account_id in made:
        await wire.do("GrantCredits", account_id=account_id, amount_microcredits=1, reason="gift")
    listed, token = [], ""
    while True:
        page = await wire.call("ListAccounts", page_size=1, page_token=token)
        listed += [account.account_id for account in page.accounts]
        token = page.next_page_token
        if not token:
            break
    assert made <= set(listed)
    assert listed == sorted(set(listed), key=lambda text: text.encode())
