"""Requests that are well formed and refused for what is stored. Words in braces stand for what the test has made."""

from billing_service.rate_cards import built_in_card
from tests.end_to_end.valid_requests import ACCOUNT, VALID
from tests.support.rate_card_examples import card_base64
from tests.support.stack import CREDIT

NOBODY = {"account_id": "nobody-is-called-this"}
REFUSED = [
    ("CreateAccount", {"account_id": "{payer}"}, "ALREADY_EXISTS", "ACCOUNT_EXISTS"),
    ("CreateAccount", {"account_id": "{free}", "referral_code": "ZZZZZZZZ"}, "NOT_FOUND", "REFERRAL_CODE_NOT_FOUND"),
    ("CreateAccount", {"account_id": "{free}", "referral_code": "not a code"}, "NOT_FOUND", "REFERRAL_CODE_NOT_FOUND"),
    (
        "CreateAccount",
        {"account_id": "{free}", "stripe_customer_id": "cus_nobody"},
        "NOT_FOUND",
        "STRIPE_CUSTOMER_NOT_FOUND",
    ),
    *(
        (rpc, VALID[rpc] | NOBODY, "NOT_FOUND", "ACCOUNT_NOT_FOUND")
        for rpc in ("GetAccount", "GetBalance", "WatchBalance", "ListTransactions")
    ),
    *(
        (rpc, VALID[rpc] | NOBODY, "NOT_FOUND", "ACCOUNT_NOT_FOUND")
        for rpc in ("ListPurchases", "GetReferral", "DeductCredits")
    ),
    *(
        (rpc, VALID[rpc] | NOBODY, "NOT_FOUND", "ACCOUNT_NOT_FOUND")
        for rpc in ("ReverseDeduction", "AdjustCredits", "FreezeAccount")
    ),
    *(
        (rpc, VALID[rpc] | NOBODY, "NOT_FOUND", "ACCOUNT_NOT_FOUND")
        for rpc in ("HoldCredits", "CaptureHold", "ReleaseHold", "ExtendHold", "GetHold", "ListHolds")
    ),
    *(
        (rpc, VALID[rpc] | {"hold_id": "hold_none"}, "NOT_FOUND", "HOLD_NOT_FOUND")
        for rpc in ("CaptureHold", "ReleaseHold", "ExtendHold", "GetHold")
    ),
    *(
        (rpc, VALID[rpc] | {"hold_id": "{closed}"}, "FAILED_PRECONDITION", "HOLD_CLOSED")
        for rpc in ("CaptureHold", "ReleaseHold", "ExtendHold")
    ),
    ("Reconcile", {"purchase": "pur_nobody"}, "NOT_FOUND", "PURCHASE_NOT_FOUND"),
    ("SetOverdraftLimit", VALID["SetOverdraftLimit"] | NOBODY, "NOT_FOUND", "ACCOUNT_NOT_FOUND"),
    ("UpdateAccount", VALID["UpdateAccount"] | NOBODY, "NOT_FOUND", "ACCOUNT_NOT_FOUND"),
    ("CreatePurchase", {"account_id": "{free}", "package_code": "gold"}, "INVALID_ARGUMENT", "UNKNOWN_PACKAGE"),
    ("CreatePurchase", {"account_id": "{free}", "package_code": "STARTER"}, "INVALID_ARGUMENT", "UNKNOWN_PACKAGE"),
    *(
        (rpc, VALID[rpc] | {"purchase_id": "pur_none"}, "NOT_FOUND", "PURCHASE_NOT_FOUND")
        for rpc in ("GetPurchase", "CancelPurchase")
    ),
    *(
        (rpc, VALID[rpc] | {"purchase_id": "pur_none"}, "NOT_FOUND", "PURCHASE_NOT_FOUND")
        for rpc in ("QuoteRefund", "Refund")
    ),
    ("GetPurchase", {"checkout_session_id": "cs_none"}, "NOT_FOUND", "PURCHASE_NOT_FOUND"),
    ("GetCheckoutStatus", {"checkout_session_id": "cs_none"}, "NOT_FOUND", "PURCHASE_NOT_FOUND"),
    ("GetRateCard", {"version": "none"}, "NOT_FOUND", "RATE_CARD_NOT_FOUND"),
    *(
        ("ReRate", VALID["ReRate"] | {f"{which}_rate_card_version": "none"}, "NOT_FOUND", "RATE_CARD_NOT_FOUND")
        for which in ("from", "to")
    ),
    (
        "QuoteUsage",
        {"usage": {"provider": "openai", "model": "no", "lines": [{"kind": 1, "quantity": 1}]}},
        "INVALID_ARGUMENT",
        "UNKNOWN_MODEL",
    ),
    (
        "QuoteUsage",
        {"usage": {"provider": "openai", "model": "gpt-5", "lines": [{"kind": 12, "quantity": 1}]}},
        "INVALID_ARGUMENT",
        "PRICE_MISSING",
    ),
    ("GetReceipt", VALID["GetReceipt"] | NOBODY, "NOT_FOUND", "ACCOUNT_NOT_FOUND"),
    ("GetReceipt", VALID["GetReceipt"] | {"transaction_id": "txn_none"}, "NOT_FOUND", "TRANSACTION_NOT_FOUND"),
    ("GetReceipt", VALID["GetReceipt"] | {"transaction_id": "{grant}"}, "INVALID_ARGUMENT", "INVALID_FIELD"),
    (
        "CreateRateCardVersion",
        {"card_file": card_base64(built_in_card().version)},
        "ALREADY_EXISTS",
        "RATE_CARD_EXISTS",
    ),
    *(
        (rpc, VALID[rpc] | {"purchase_id": "{refund}"}, "NOT_FOUND", "PURCHASE_NOT_FOUND")
        for rpc in ("GetPurchase", "CancelPurchase", "QuoteRefund", "Refund")
    ),
    ("ListRefunds", NOBODY, "NOT_FOUND", "ACCOUNT_NOT_FOUND"),
    ("ListRefunds", ACCOUNT | {"purchase_id": "pur_none"}, "NOT_FOUND", "PURCHASE_NOT_FOUND"),
    ("ListRefunds", {"account_id": "{other}", "purchase_id": "{paid}"}, "NOT_FOUND", "PURCHASE_NOT_FOUND"),
    *(("GetRefund", {"refund_id": other}, "NOT_FOUND", "REFUND_NOT_FOUND") for other in ("ref_none", "{paid}")),
    ("CancelPurchase", {"purchase_id": "{paid}"}, "FAILED_PRECONDITION", "PURCHASE_NOT_CANCELABLE"),
    ("QuoteRefund", {"purchase_id": "{pending}"}, "FAILED_PRECONDITION", "PURCHASE_NOT_REFUNDABLE"),
    ("Refund", {"purchase_id": "{pending}"}, "FAILED_PRECONDITION", "PURCHASE_NOT_REFUNDABLE"),
    ("DeductCredits", ACCOUNT | {"amount_microcredits": 10**15}, "FAILED_PRECONDITION", "INSUFFICIENT_CREDITS"),
    (
        "AdjustCredits",
        VALID["AdjustCredits"] | {"amount_microcredits": -(10**15)},
        "FAILED_PRECONDITION",
        "INSUFFICIENT_CREDITS",
    ),
    ("ReverseDeduction", ACCOUNT | {"transaction_id": "txn_none"}, "NOT_FOUND", "TRANSACTION_NOT_FOUND"),
    (
        "ReverseDeduction",
        {"account_id": "{other}", "transaction_id": "{deduction}"},
        "NOT_FOUND",
        "TRANSACTION_NOT_FOUND",
    ),
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
    (
        "ProcessStripeEvent",
        {"payload": "e30=", "stripe_signature": "t=1,v1=00"},
        "INVALID_ARGUMENT",
        "SIGNATURE_INVALID",
    ),
]
