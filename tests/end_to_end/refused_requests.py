"""Tables of requests that are wrong in one place each. Words in braces stand for what the test has made."""

import base64
import gzip
import itertools

from tests.end_to_end.valid_requests import ACCOUNT, VALID
from tests.support.rate_card_examples import card_file
from tests.support.wire import METHODS, WRITES

TOO_MUCH = 10**15 + 1
INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)
EARLY, LATE = "1999-12-31T23:59:59Z", "2020-01-01T00:00:00Z"
BAD_METADATA = [
    ({f"k{number}": "" for number in range(51)}, "metadata"),
    ({"": "v"}, "metadata name"),
    ({"k" * 41: "v"}, "metadata name"),
    ({"k": "v" * 501}, "metadata[k]"),
    ({"k": "\x00"}, "metadata[k]"),
]
BAD_ACCOUNTS = ("", "a" * 129, "a\n", "a\x00", "a\u200bb", "\ue000", "a\u00a0b")
EVERY_ACCOUNT = ("VerifyLedger", "ListAuditRecords", "TailEvents", "ReplayWebhookDeliveries")
"""Of these, an empty account_id means every account."""


def bad_fields():
    for rpc, fields in VALID.items():
        if "account_id" in METHODS[rpc].input_type.fields_by_name and rpc not in EVERY_ACCOUNT:
            yield from ((rpc, {**fields, "account_id": bad}, "account_id") for bad in BAD_ACCOUNTS)
        if rpc in WRITES:
            yield from (
                (rpc, {**fields, "idempotency_key": bad}, "idempotency_key") for bad in ("", "k" * 256, "k\t", "k\x7f")
            )
        if "page_size" in METHODS[rpc].input_type.fields_by_name:
            yield rpc, {**fields, "page_size": -1}, "page_size"
            yield from (
                (rpc, {**fields, "page_token": bad}, "page_token")
                for bad in ("x", "AAAA", "A" * 5000, "é", "{foreign_token}")
            )
        if "reason" in METHODS[rpc].input_type.fields_by_name:
            yield from ((rpc, {**fields, "reason": bad}, "reason") for bad in ("r" * 501, "a\x00b", "\x1b[2J"))
        if rpc in ("GrantCredits", "AdjustCredits", "FreezeAccount", "SetOverdraftLimit"):
            yield from ((rpc, {**fields, "reason": bad}, "reason") for bad in ("", "   "))
        if "metadata" in METHODS[rpc].input_type.fields_by_name:
            sent = [({"entries": bad} if rpc == "UpdateAccount" else bad, named) for bad, named in BAD_METADATA]
            yield from ((rpc, {**fields, "metadata": bad}, named) for bad, named in sent)
    for rpc in EVERY_ACCOUNT:
        yield from ((rpc, {"account_id": bad}, "account_id") for bad in BAD_ACCOUNTS[1:])
    for rpc, amounts in (
        ("DeductCredits", (0, -1, TOO_MUCH, INT64_MAX, INT64_MIN)),
        ("GrantCredits", (0, -1, TOO_MUCH, INT64_MAX, INT64_MIN)),
        ("HoldCredits", (0, -1, TOO_MUCH, INT64_MAX, INT64_MIN)),
        ("CaptureHold", (-1, TOO_MUCH, INT64_MAX, INT64_MIN)),
        ("ReverseDeduction", (0, -1, TOO_MUCH, INT64_MIN)),
        ("AdjustCredits", (0, TOO_MUCH, -TOO_MUCH, INT64_MAX, INT64_MIN)),
    ):
        yield from ((rpc, {**VALID[rpc], "amount_microcredits": bad}, "amount_microcredits") for bad in amounts)


OTHER = [
    ("BatchDeductCredits", {}, "deductions"),
    ("BatchDeductCredits", {"deductions": [{}] * 1001}, "deductions"),
    ("BatchDeductCredits", {"operations": [{}] * 1001}, "operations"),
    ("BatchDeductCredits", {"operations": [{}], "deductions": [{}]}, "operations"),
    ("DeductCredits", ACCOUNT, "cost"),
    ("DeductCredits", ACCOUNT | {"usage": {}}, "usage.provider"),
    ("DeductCredits", ACCOUNT | {"usage": {"provider": "openai", "model": "gpt-5"}}, "usage.lines"),
    (
        "DeductCredits",
        ACCOUNT | {"usage": {"provider": "openai", "model": "m", "lines": [{"kind": 1, "quantity": -1}]}},
        "usage.lines[0].quantity",
    ),
    ("DeductCredits", VALID["DeductCredits"] | {"mode": 4}, "mode"),
    ("DeductCredits", VALID["DeductCredits"] | {"mode": -1}, "mode"),
    ("DeductCredits", VALID["DeductCredits"] | {"description": "d" * 501}, "description"),
    ("DeductCredits", VALID["DeductCredits"] | {"description": "\x08"}, "description"),
    ("ReverseDeduction", ACCOUNT, "transaction_id"),
    ("ReverseDeduction", ACCOUNT | {"transaction_id": "t" * 129}, "transaction_id"),
    ("HoldCredits", ACCOUNT, "cost"),
    *(("HoldCredits", VALID["HoldCredits"] | {"mode": bad}, "mode") for bad in (3, -1)),
    *(
        ("HoldCredits", VALID["HoldCredits"] | {"minimum_microcredits": bad, "mode": mode}, "minimum_microcredits")
        for bad, mode in ((1, 1), (2, 2), (-1, 2), (INT64_MIN, 2))
    ),
    *(
        (rpc, VALID[rpc] | {"ttl": bad}, "ttl")
        for rpc in ("HoldCredits", "ExtendHold")
        for bad in ("0s", "0.999s", "86400.000001s", "-1s", "315576000000s")
    ),
    *(
        ("HoldCredits", VALID["HoldCredits"] | {"expiry_capture_microcredits": bad}, "expiry_capture_microcredits")
        for bad in (-1, 2, INT64_MIN)
    ),
    *(
        (rpc, VALID[rpc] | {"description": bad}, "description")
        for rpc in ("HoldCredits", "CaptureHold", "ReleaseHold")
        for bad in ("d" * 501, "\x08")
    ),
    *(
        (rpc, VALID[rpc] | {"hold_id": bad}, "hold_id")
        for rpc in ("CaptureHold", "ReleaseHold", "ExtendHold", "GetHold")
        for bad in ("", "h" * 129, "h\n")
    ),
    ("CaptureHold", ACCOUNT | {"hold_id": "{hold}"}, "cost"),
    ("CaptureHold", VALID["CaptureHold"] | {"amount_microcredits": 0, "final": False}, "amount_microcredits"),
    *(("CaptureHold", VALID["CaptureHold"] | {"over_hold": bad}, "over_hold") for bad in (5, -1)),
    ("ExtendHold", ACCOUNT | {"hold_id": "{hold}"}, "additional_microcredits"),
    *(
        ("ExtendHold", VALID["ExtendHold"] | {"additional_microcredits": bad}, "additional_microcredits")
        for bad in (-1, TOO_MUCH, INT64_MIN)
    ),
    *(("WatchBalance", ACCOUNT | {"after_version": bad}, "after_version") for bad in (-1, INT64_MIN, 10**15)),
    *(
        ("TailEvents", {"after": bad}, "after")
        for bad in ("x", "MTo5OTk5OTk5OTk5OTk", "MTotMQ", "MTowMQ", "Mjow", "M" * 65, "€")
    ),
    *(("TailEvents", {"kinds": bad}, "kinds") for bad in ([0], [99], [-1], [1, 1], list(range(1, 34)))),
    ("TailEvents", {"after": "MTow", "from_now": True}, "from_now"),
    *(("ListAllPurchases", {"statuses": bad}, "statuses") for bad in ([0], [99], [-1], [1, 1], list(range(1, 9)))),
    *(("ListAllPurchases", {name: EARLY}, name) for name in ("start_time", "end_time")),
    *(("ListAllPurchases", {"package_code": bad}, "package_code") for bad in ("x" * 256, "a\n")),
    *(("ListAllPurchases", {"page_token": bad}, "page_token") for bad in ("x", "{foreign_token}")),
    *(("ListWebhookDeliveries", {"state": bad}, "state") for bad in (3, -1)),
    *(("Reconcile", {name: EARLY}, name) for name in ("start_time", "end_time")),
    *(("Reconcile", {"start_time": LATE, "end_time": bad}, "end_time") for bad in (LATE, "2019-12-31T00:00:00Z")),
    *(("Reconcile", {"dry_run": False, "reason": bad}, "reason") for bad in ("", " ", "x" * 501)),
    *(("Reconcile", {"resume_token": bad}, "resume_token") for bad in ("x", "AAAA", "{foreign_token}", "A" * 4_000)),
    *(("Reconcile", {"purchase": bad}, "purchase") for bad in ("x" * 256, "a\n")),
    *(("Reconcile", {"purchase": "{paid}", name: LATE}, name) for name in ("start_time", "end_time")),
    ("Reconcile", {"purchase": "{paid}", "resume_token": "AAAA"}, "resume_token"),
    ("ListTransactions", ACCOUNT | {"kind": 14}, "kind"),
    ("ListTransactions", ACCOUNT | {"start_time": EARLY}, "start_time"),
    ("ListTransactions", ACCOUNT | {"end_time": EARLY}, "end_time"),
    ("CreateAccount", VALID["CreateAccount"] | {"email": "no at sign"}, "email"),
    ("CreateAccount", VALID["CreateAccount"] | {"email": "a@b"}, "email"),
    ("CreateAccount", VALID["CreateAccount"] | {"email": "a,b@c.de"}, "email"),
    ("CreateAccount", VALID["CreateAccount"] | {"email": "e" * 320 + "@x"}, "email"),
    ("CreateAccount", VALID["CreateAccount"] | {"name": "n" * 257}, "name"),
    ("CreateAccount", VALID["CreateAccount"] | {"name": "a\x00"}, "name"),
    *(
        ("CreateAccount", VALID["CreateAccount"] | {"stripe_customer_id": bad}, "stripe_customer_id")
        for bad in ("acct_1", "cus_", "cus_a/b", "cus_1\n", "cus_\u00e9", "cus_" + "x" * 252)
    ),
    ("UpdateAccount", ACCOUNT, "email"),
    *(
        ("UpdateAccount", ACCOUNT | {"email": bad}, "email")
        for bad in ("no at sign", "a@b", "a,b@c.de", "<a@b.co>", "e" * 320 + "@x.co")
    ),
    ("UpdateAccount", ACCOUNT | {"name": "n" * 257}, "name"),
    ("UpdateAccount", ACCOUNT | {"name": "a\x00"}, "name"),
    *(
        ("UpdateAccount", ACCOUNT | {"low_balance_microcredits": bad}, "low_balance_microcredits")
        for bad in (-1, TOO_MUCH, INT64_MIN)
    ),
    ("CreatePurchase", ACCOUNT, "item"),
    ("CreatePurchase", ACCOUNT | {"package_code": ""}, "package_code"),
    ("CreatePurchase", ACCOUNT | {"package_code": "p" * 256}, "package_code"),
    *(
        ("CreatePurchase", ACCOUNT | {"custom_amount_minor": bad}, "custom_amount_minor")
        for bad in (0, -1, 99, 1_000_001, INT64_MAX, INT64_MIN)
    ),
    *(
        ("CreatePurchase", VALID["CreatePurchase"] | {"currency": bad}, "currency")
        for bad in ("eur", "USD", "us", "dollar", "\x00")
    ),
    *(("CreatePurchase", VALID["CreatePurchase"] | {"payment_flow": bad}, "payment_flow") for bad in (3, -1)),
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
    *(
        (rpc, {"purchase_id": "{paid}", "amount_minor": bad, "policy": policy}, "amount_minor")
        for rpc in ("QuoteRefund", "Refund")
        for policy in (1, 2)
        for bad in (0, -1, 1001, 10**15, TOO_MUCH, INT64_MIN)
    ),
    ("Refund", VALID["Refund"] | {"policy": -1}, "policy"),
    ("ListRefunds", ACCOUNT | {"purchase_id": "p" * 256}, "purchase_id"),
    ("ListRefunds", ACCOUNT | {"purchase_id": "p\n"}, "purchase_id"),
    *(("GetRefund", {"refund_id": bad}, "refund_id") for bad in ("", "r" * 256, "r\x00")),
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
        (
            "SetOverdraftLimit",
            VALID["SetOverdraftLimit"] | {"overdraft_limit_microcredits": bad},
            "overdraft_limit_microcredits",
        )
        for bad in (-1, TOO_MUCH, INT64_MIN)
    ),
    *(
        ("SetOverdraftLimit", VALID["SetOverdraftLimit"] | {"debt_max_microcredits": bad}, "debt_max_microcredits")
        for bad in (-2, TOO_MUCH, INT64_MIN)
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
    *(("SetSpendLimit", VALID["SetSpendLimit"] | {"window": bad}, "window") for bad in (0, 4, -1)),
    *(
        ("SetSpendLimit", VALID["SetSpendLimit"] | {"limit_microcredits": bad}, "limit_microcredits")
        for bad in (-1, TOO_MUCH, INT64_MIN)
    ),
    *(("SetSpendLimit", VALID["SetSpendLimit"] | {"spender_id": bad}, "spender_id") for bad in ("s" * 129, "s\n")),
    *(
        (rpc, VALID[rpc] | {"spender_ids": bad}, "spender_ids")
        for rpc in ("DeductCredits", "HoldCredits", "CreateApiKey")
        for bad in (["a", "a"], ["a", "b", "c", "d", "e"], [""], ["a\n"], ["a" * 129])
    ),
    *(
        ("CreateApiKey", VALID["CreateApiKey"] | {"account_ids": bad}, "account_ids")
        for bad in (["a", "a"], [f"a{number}" for number in range(101)], [""], ["a\n"], ["a" * 129])
    ),
    ("RevokeApiKey", {}, "key_id"),
    ("QuoteUsage", {}, "usage"),
    ("GetReceipt", ACCOUNT, "transaction_id"),
    ("GetReceipt", {"transaction_id": "txn_1"}, "account_id"),
    ("QuoteUsage", {"usage": {}}, "usage.provider"),
    ("QuoteUsage", {"usage": {"provider": "openai", "model": "gpt-5"}}, "usage.lines"),
    *(
        ("CreateRateCardVersion", {"card_file": base64.b64encode(bad).decode()}, named)
        for bad, named in (
            (b"", "card_file"),
            (b"\x00", "card_file"),
            (b"\xff{}", "card_file"),
            (b"{", "card_file"),
            (b"[]", "card_file"),
            (gzip.compress(card_file())[:-1], "card_file"),
            (gzip.compress(card_file()) + b"x", "card_file"),
            (b"\x1f\x8b\x00", "card_file"),
            (gzip.compress(bytes((16 << 20) + 1)), "card_file"),
            (bytes(1_048_577), "card_file"),
            (
                card_file().replace(b'"images": {"usd": "0.04"}', b'"images": {"usd": -1}'),
                "card_file.entries[7].columns[0].prices.images.usd",
            ),
            (card_file().replace(b'"provider": "openrouter"', b'"provider": ""'), "card_file.entries[8].provider"),
            (card_file("v" * 257), "card_file.version"),
            (card_file(effective="2026-11-30"), "card_file.effective_time"),
        )
    ),
    *(("GetRateCard", {"version": bad}, "version") for bad in ("v" * 257, "v\n")),
    *(
        ("ReRate", VALID["ReRate"] | {name: bad}, name)
        for name, values in {
            "to_rate_card_version": ("", "v" * 257, "v\n"),
            "from_rate_card_version": ("v" * 257, "v\n"),
            "start_time": (None, "1999-12-31T23:59:59Z"),
            "end_time": (None, "1999-12-31T23:59:59Z", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00.000001Z"),
        }.items()
        for bad in values
    ),
    *(
        ("GetCheckoutStatus", {"checkout_session_id": bad}, "checkout_session_id")
        for bad in ("", "cs_\x00", "cs_" + "c" * 253, "{pending}", "pi_1", "re_1")
    ),
    ("ProcessStripeEvent", {"stripe_signature": "t=1,v1=00"}, "payload"),
    ("ProcessStripeEvent", {"payload": "e30="}, "stripe_signature"),
    ("ProcessStripeEvent", {"payload": "e30=", "stripe_signature": "s" * 8193}, "stripe_signature"),
]
