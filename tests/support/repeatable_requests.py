"""A request of each write to be repeated, and each change of it that makes it another. Words in braces stand for what
`world` makes."""

import base64
import gzip

from billing_service.rate_cards import built_in_card
from tests.support.rate_card_examples import card_base64, card_file
from tests.support.stack import CREDIT

OTHER_METADATA = {"metadata": {"n": "2"}}

USAGE = {
    "provider": "openai",
    "model": "gpt-5",
    "lines": [{"kind": 1, "quantity": 1_000}, {"kind": 4, "quantity": 10}],
}
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
        [{"email": "b@c.de"}, {"name": "B"}, {"referral_code": ""}, {"stripe_customer_id": "cus_1"}, OTHER_METADATA],
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
        [
            {"amount_microcredits": 5 * CREDIT + 1},
            {"mode": 3},
            {"spender_ids": ["a"]},
            {"description": ""},
            OTHER_METADATA,
        ],
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
        "SetSpendLimit",
        {"account_id": "{referee}", "spender_id": "s", "window": 1, "limit_microcredits": 5},
        [{"spender_id": ""}, {"window": 2}, {"limit_microcredits": 6}, {"limit_microcredits": None}],
    ),
    (
        "CreateApiKey",
        {"caller": "metering", "scopes": [1, 2], "expire_time": "2090-01-01T00:00:00Z"},
        [{"caller": "other"}, {"scopes": [1]}, {"expire_time": None}, {"account_ids": ["a"]}, {"spender_ids": ["a"]}],
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
            {"low_balance_microcredits": 0},
            {"low_balance_microcredits": 5},
        ],
    ),
    ("CreateRateCardVersion", {"card_file": card_base64("repeated")}, [{"card_file": card_base64("other")}]),
    (
        "DeductCredits",
        {"account_id": "{account}", "usage": USAGE},
        [
            {"usage": USAGE | {"request_id": "r"}},
            {"usage": USAGE | {"lines": USAGE["lines"][:1]}},
            {"usage": None, "amount_microcredits": 1},
        ],
    ),
    (
        "HoldCredits",
        {
            "account_id": "{account}",
            "amount_microcredits": 5 * CREDIT,
            "mode": 2,
            "minimum_microcredits": 2,
            "expiry_capture_microcredits": 1,
            "description": "d",
            "metadata": {"n": "1"},
        },
        [
            {"amount_microcredits": 6 * CREDIT},
            {"amount_microcredits": None, "usage": USAGE},
            {"mode": 1, "minimum_microcredits": None},
            {"minimum_microcredits": 3},
            {"ttl": "601s"},
            {"spender_ids": ["a"]},
            {"expiry_capture_microcredits": None},
            {"description": ""},
            OTHER_METADATA,
        ],
    ),
    (
        "CaptureHold",
        {
            "account_id": "{account}",
            "hold_id": "{hold}",
            "amount_microcredits": CREDIT,
            "final": False,
            "over_hold": 2,
            "description": "d",
            "metadata": {"n": "1"},
        },
        [
            {"hold_id": "{other_hold}"},
            {"amount_microcredits": 2 * CREDIT},
            {"amount_microcredits": None, "usage": USAGE},
            {"final": None},
            {"final": True},
            {"over_hold": 3},
            {"description": ""},
            OTHER_METADATA,
        ],
    ),
    (
        "ExtendHold",
        {"account_id": "{account}", "hold_id": "{hold}", "additional_microcredits": CREDIT, "ttl": "700s"},
        [{"hold_id": "{other_hold}"}, {"additional_microcredits": None}, {"ttl": "701s"}, {"ttl": None}],
    ),
    (
        "ReleaseHold",
        {"account_id": "{account}", "hold_id": "{hold}", "description": "d"},
        [{"hold_id": "{other_hold}"}, {"description": ""}],
    ),
    (
        "ReRate",
        {
            "to_rate_card_version": built_in_card().version,
            "start_time": "2026-10-01T00:00:00Z",
            "end_time": "2026-11-01T00:00:00Z",
            "dry_run": False,
            "reason": "r",
        },
        [
            *({name: "other"} for name in ("to_rate_card_version", "from_rate_card_version")),
            *({name: "2026-10-20T00:00:00Z"} for name in ("start_time", "end_time")),
            *({"page_size": 1}, {"reason": "s"}),
        ],
    ),
    ("ReplayWebhookDeliveries", {"account_id": "{account}"}, [{"account_id": ""}]),
]
SAME_MEANING = [
    (19, {"ttl": "600s"}),
    (1, {"currency": "usd"}),
    (1, {"payment_flow": 1}),
    (4, {"mode": 1}),
    (6, {"policy": 1}),
    (8, {"category": 1}),
    (8, {"priority": 50}),
    (13, {"scopes": [2, 1, 2]}),
    (17, {"card_file": base64.b64encode(gzip.compress(b" " + card_file("repeated"))).decode()}),
    (18, {"usage": USAGE | {"lines": [{"kind": 5}, *USAGE["lines"][::-1]], "measurement": 1}}),
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
    holds = [
        (await wire.do("HoldCredits", account_id=account, amount_microcredits=9 * CREDIT)).hold.hold_id
        for _ in range(2)
    ]
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
        "hold": holds[0],
        "other_hold": holds[1],
        "key": keys[0],
        "other_key": keys[1],
        "event": events[-1],
        "other_event": events[0],
    }


def unrepeated(rpc, answer):
    """An answer as its repetition must be, `replayed` included, and but for the time at which it was sent."""
    if rpc == "CreateApiKey":
        assert answer.secret
        answer.secret = ""
    assert not answer.replayed
    answer.replayed = True
    return timeless(answer)


def timeless(answer):
    """An answer without the time at which it was sent."""
    if "server_time" in answer.DESCRIPTOR.fields_by_name:
        assert answer.HasField("server_time")
        answer.ClearField("server_time")
    return answer
