"""What operators do, against everything running: `billing dev` as a process, the commands in this one."""

import json
import re

import httpx
import pytest
from billing_client import BillingClient, Usage, UsageKind, UsageLine

REFUSED = [
    (["balance", "nobody"], "ACCOUNT_NOT_FOUND", "billing accounts list"),
    (["accounts", "update", "nobody", "--name", "N"], "ACCOUNT_NOT_FOUND", "billing accounts list"),
    (["accounts", "update", "nobody", "--email", "a@b"], "INVALID_FIELD", "such as ada@example.com"),
    (["accounts", "freeze", "nobody", "--reason", "x"], "ACCOUNT_NOT_FOUND", "billing accounts list"),
    (["accounts", "create", "no-address", "--email", "ada@example"], "INVALID_FIELD", "such as ada@example.com"),
    (["accounts", "create", "x", "--stripe-customer", "acct_1"], "INVALID_FIELD", "must be cus_"),
    (["accounts", "create", "x", "--stripe-customer", "cus_none"], "STRIPE_CUSTOMER_NOT_FOUND", ""),
    (["purchases", "show", "pur_nothing"], "PURCHASE_NOT_FOUND", "billing purchases list"),
    (["purchases", "create", "ada", "--package", "huge"], "UNKNOWN_PACKAGE", "billing packages"),
    (["refund", "pur_nothing"], "PURCHASE_NOT_FOUND", "billing purchases list"),
    (["refunds", "show", "ref_nothing"], "REFUND_NOT_FOUND", "billing refunds list"),
    (["refunds", "list", "nobody"], "ACCOUNT_NOT_FOUND", "billing accounts list"),
    (["refunds", "list", "--purchase", "pur_nothing"], "PURCHASE_NOT_FOUND", "billing purchases list"),
    (["reverse", "nobody", "txn_nothing"], "ACCOUNT_NOT_FOUND", "billing accounts list"),
    (["events", "show", "evt_nothing"], "STRIPE_EVENT_NOT_FOUND", "billing events list"),
    (["events", "replay", "evt_nothing"], "STRIPE_EVENT_NOT_FOUND", "billing events list"),
    (["keys", "revoke", "nothing"], "API_KEY_NOT_FOUND", "billing keys list"),
    (["verify", "--account", "nobody"], "ACCOUNT_NOT_FOUND", ""),
]


@pytest.mark.parametrize(
    ("arguments", "reason", "hint"), REFUSED, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_refusal_is_one_line_with_reason_and_hint(operate, arguments, reason, hint):
    said = operate(*arguments, code=1)
    assert said.count("\n") == 1
    assert said.startswith(f"{reason}: ")
    assert hint in said


def test_credits_given_and_corrected_are_on_the_statement(operate, account):
    operate(
        "grant", account, "100.5", "--reason", "welcome", "--category", "paid", "--expires", "30d", "--priority", "3"
    )
    operate("adjust", account, "-0.000001", "--reason", "correction")
    assert "INSUFFICIENT_CREDITS" in operate("adjust", account, "-1000", "--reason", "too much", code=1)
    shown = operate("balance", account)
    assert re.search(r"paid\s+100.499999", shown)
    assert "expiring next" in shown
    statement = json.loads(operate("transactions", account, "--json"))
    assert [row["amount_microcredits"] for row in statement] == ["-1", "100500000"]
    assert "-0.000001" in operate("transactions", account, "--kind", "adjustment", "--since", "1h")
    assert operate("transactions", account, "--kind", "purchase") == f"Statement of {account}: none\n"
    assert "welcome" in operate("audit", "--account", account)


def test_an_account_is_updated_part_by_part(operate, account):
    operate("accounts", "update", account, "--metadata", "plan=gold", "--metadata", "note=a=b")
    shown = operate("accounts", "update", account, "--email", "bea@example.com")
    assert re.search(r"e-mail\s+bea@example.com", shown)
    assert re.search(r"name\s+\[bold\]Ada\[/bold\]", shown)
    assert re.search(r"metadata note\s+a=b", shown)
    assert "gold" not in operate("accounts", "update", account, "--metadata", "seat=2")
    emptied = json.loads(operate("accounts", "show", account, "--json"))
    assert emptied["metadata"] == {"seat": "2"}
    operate("accounts", "update", account, "--email", "", "--name", "", "--no-metadata")
    emptied = json.loads(operate("accounts", "show", account, "--json"))
    assert not {"email", "name", "metadata"} & {key for key, value in emptied.items() if value}
    assert "UpdateAccount" in operate("audit", "--account", account)


def test_repeated_key_repeats_no_effect(operate, account):
    for _ in range(2):
        operate("grant", account, "5", "--reason", "once", "--idempotency-key", "one-grant")
    assert json.loads(operate("balance", account, "--json"))["available_microcredits"] == "5000000"


def test_account_is_frozen_thawed_and_may_owe(operate, account):
    operate("grant", account, "5", "--reason", "x")
    operate("accounts", "freeze", account, "--reason", "suspicious")
    assert json.loads(operate("balance", account, "--json"))["frozen_microcredits"] == "5000000"
    operate("accounts", "thaw", account, "--reason", "cleared")
    said = operate("accounts", "overdraft", account, "2.5", "--debt-max", "7", "--reason", "trusted")
    assert "may owe up to 2.5 credits, and 7 by deductions that allow debt" in said
    shown = json.loads(operate("accounts", "show", account, "--json"))
    limits = (shown["overdraft_limit_microcredits"], shown["debt_max_microcredits"])
    assert (shown["frozen"], limits) == (False, ("2500000", "7000000"))
    said = operate("accounts", "overdraft", account, "2.5", "--debt-max", "default", "--reason", "as before")
    assert "and 10,000 by deductions" in said


def test_what_others_wrote_is_shown_as_it_is(operate, account):
    assert "[bold]Ada[/bold]" in operate("accounts", "show", account)
    assert account in operate("accounts", "list", "--limit", "1000")


def test_purchase_is_paid_refunded_and_its_events_replayed(operate, buy, account):
    purchase = buy(account, "--package", "starter")
    assert re.search(r"status\s+completed", operate("purchases", "show", purchase))
    assert re.search(r"money\s+10.00 USD", operate("refund", purchase, "--quote"))
    assert "no amount of USD" in operate("refund", purchase, "--amount", "1.005", code=2)
    assert re.search(r"credits taken\s+250", operate("refund", purchase, "--amount", "2.50", "--reason", "too many"))
    assert re.search(r"completed\s+2.50 USD", operate("purchases", "list", account))
    events = json.loads(operate("events", "list", "--status", "processed", "--json"))
    event = next(event["event_id"] for event in events if event["event_type"] == "checkout.session.completed")
    assert operate("events", "replay", event).startswith(f"{event}: duplicate")
    assert json.loads(operate("events", "show", event, "--payload"))["id"] == event
    assert "750" in operate("balance", account)
    assert "PURCHASE_NOT_CANCELABLE" in operate("purchases", "cancel", purchase, code=1)


def test_refunds_are_shown_as_they_stand(*, operate, buy, dev_stack, account, request):
    """What is only promised back is told apart from what went back, and from what came to nothing."""
    settles_later = "4000000000007726"
    switch = f"{dev_stack[1]}/_sandbox/switches"
    httpx.post(switch, json={"settles": False}).raise_for_status()  # else three seconds decide what is shown
    request.addfinalizer(lambda: httpx.post(switch, json={"settles": True}))
    purchase = buy(account, "--package", "starter", card=settles_later)
    ids = []
    for money in ("4", "1.50", "2"):
        made = json.loads(operate("refund", purchase, "--amount", money, "--reason", "too many", "--json"))
        assert (made["refund"]["status"], made["replayed"]) == ("pending", False)
        ids.append(made["refund"]["refund_id"])
    assert re.search(r"refund pending +7.50 USD", operate("purchases", "show", purchase))
    assert "refunded" not in operate("purchases", "show", purchase)
    for refund_id, status in zip(ids, ("succeeded", "failed"), strict=False):
        at_stripe = json.loads(operate("refunds", "show", refund_id, "--json"))["stripe_refund_id"]
        httpx.post(f"{dev_stack[1]}/_sandbox/refunds/{at_stripe}/settle", json={"status": status}).raise_for_status()
        assert httpx.post(f"{dev_stack[1]}/_sandbox/webhooks/drain", json={"timeout_s": 20}).json()["drained"]
        assert re.search(rf"status +{status}", operate("refunds", "show", at_stripe))
    shown = operate("purchases", "show", purchase)
    for name, money in (("refunded", "4.00"), ("refund pending", "2.00"), ("refund failed", "1.50")):
        assert re.search(rf"^{name} +{money} USD$", shown, re.MULTILINE)
    assert re.search(r"completed +4.00 USD +2.00 USD +pur_", operate("purchases", "list", account))
    listed = json.loads(operate("refunds", "list", "--purchase", purchase, "--json"))
    assert [(each["refund_id"], each["status"]) for each in listed] == list(
        zip(ids[::-1], ("pending", "failed", "succeeded"), strict=True)
    )
    assert json.loads(operate("refunds", "list", account, "--json")) == listed
    assert operate("refunds", "list", code=2) == "give ACCOUNT or --purchase\n"
    assert operate("refund", ids[0], code=1).startswith("PURCHASE_NOT_FOUND")


def test_a_receipt_says_why(operate, dev_stack, account):
    operate("grant", account, "10", "--reason", "start")
    lines = [UsageLine(kind=UsageKind.USAGE_KIND_INPUT_TOKENS, quantity=1_000)]
    usage = Usage(provider="openai", model="gpt-5", lines=lines, request_id="req-7")
    with BillingClient(dev_stack[0]) as client:
        plain = client.deduct_credits(account_id=account, amount_microcredits=3_000_000).transaction_id
        spent = client.deduct_credits(account_id=account, usage=usage)
    operate("reverse", account, spent.transaction_id, "--amount", "0.1")
    assert "TRANSACTION_NOT_FOUND" in operate("receipt", account, "txn_nothing", code=1)
    shown = operate("receipt", account, spent.transaction_id)
    for part in (
        r"request\s+req-7",
        r"model\s+openai gpt-5",
        r"markup\s+15 ?%",
        r"exact microcredits\s+143750",
        r"charged\s+0\.14375 credits",
        r"input_tokens\s+1000\s+0\.00000125\s+0\.00125",
        r"given back\s+0\.1",
    ):
        assert re.search(part, shown), (part, shown)
    found = json.loads(operate("receipt", account, spent.transaction_id, "--json"))
    assert (found["price"]["exact_total"], found["amount_microcredits"]) == ("143750", "143750")
    assert "model" not in operate("receipt", account, plain)


def test_a_deduction_is_given_back(operate, dev_stack, account):
    operate("grant", account, "10", "--reason", "start")
    with BillingClient(dev_stack[0]) as client:
        spent = client.deduct_credits(account_id=account, amount_microcredits=3_000_000).transaction_id
    assert "TRANSACTION_NOT_FOUND" in operate("reverse", account, "txn_nothing", code=1)
    assert "DEDUCTION_ALREADY_REVERSED" in operate("reverse", account, spent, "--amount", "3.5", code=1)
    assert operate("reverse", account, spent, "--amount", "0.5", "--reason", "slow").endswith(
        "gave back 0.5 credits; 7.5 available now\n"
    )
    rest = json.loads(operate("reverse", account, spent, "--idempotency-key", "rest", "--json"))
    assert (rest["reversed_microcredits"], rest["balance"]["available_microcredits"], rest["replayed"]) == (
        "2500000",
        "10000000",
        False,
    )
    assert json.loads(operate("reverse", account, spent, "--idempotency-key", "rest", "--json"))["replayed"]


def test_json_has_the_words_that_options_take(operate, account):
    operate("grant", account, "5", "--reason", "gift", "--category", "plan")
    (row,) = json.loads(operate("transactions", account, "--kind", "grant", "--json"))
    assert (row["kind"], row["draws"][0]["category"]) == ("grant", "plan")
    assert list(row)[:3] == ["transaction_id", "account_id", "account_version"], "in the order of the proto"
    made = json.loads(operate("keys", "create", "words", "--scope", "read", "--scope", "deduct", "--json"))
    assert sorted(made["api_key"]["scopes"]) == ["deduct", "read"]
    assert made["secret"].startswith(f"bill_{made['api_key']['key_id']}_")
    frozen = json.loads(operate("accounts", "freeze", account, "--reason", "why", "--json"))
    assert (frozen["account"]["frozen"], frozen["replayed"]) == (True, False)


def test_version_is_said_without_anything_running(billing):
    result = billing("--version")
    assert result.exit_code == 0
    assert re.fullmatch(r"billing \d+\.\d+\.\d+, Python 3\.\d+\.\d+, SQLite 3\.\d+\.\d+\n", result.stdout)


def test_custom_amount_is_called_off(operate, account):
    said = operate("purchases", "create", account, "--amount", "12.50")
    assert re.search(r"credits\s+1,250", said)
    session = re.search(r"cs_\w+", said)[0]
    assert re.search(r"status\s+canceled", operate("purchases", "cancel", session))


def test_packages_and_referral_are_shown(operate, account):
    assert re.search(r"starter\s+Starter Pack\s+1,000\s+10.00 USD", operate("packages"))
    assert re.search(r"referred by\s+nobody", operate("referral", account))


def test_key_is_made_listed_and_revoked(operate):
    secret = operate("keys", "create", "metering", "--scope", "read", "--scope", "deduct", "--expires", "90d").strip()
    assert re.fullmatch(r"bill_[a-z2-7]{16}_[a-z2-7]{39}", secret)
    key_id = secret.split("_")[1]
    listed = operate("keys", "list")
    assert key_id in listed
    assert secret not in listed
    operate("keys", "revoke", key_id)
    assert next(key for key in json.loads(operate("keys", "list", "--json")) if key["key_id"] == key_id)["revoke_time"]


def test_secret_of_a_repeated_creation_is_gone(operate):
    arguments = ["keys", "create", "batch", "--scope", "read", "--idempotency-key", "one-key"]
    operate(*arguments)
    assert "its secret was shown then" in operate(*arguments, code=1)


def test_running_ledger_is_proven(operate, account):
    operate("grant", account, "1", "--reason", "x")
    assert operate("verify", "--account", account).startswith(
        "✓ the ledger proves every balance: 1 accounts, 1 transactions"
    )
    assert json.loads(operate("verify", "--json"))["differences"] == []
    assert operate("health").startswith("SERVING")


def test_demo_plays_against_what_runs(billing, dev_stack):
    address, sandbox = dev_stack
    result = billing("demo", "--sandbox", sandbox, BILLING_ADDRESS=address)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("✓") >= 18
    assert "the same answer, replayed" in result.stdout
    assert "no difference" in result.stdout


def test_demo_tells_when_a_step_came_out_wrong(billing, dev_stack, monkeypatch):
    address, sandbox = dev_stack
    monkeypatch.setattr("billing_service.cli.demo_story.DECLINED_CARD", "4242424242424242")
    result = billing("demo", "--sandbox", sandbox, BILLING_ADDRESS=address)
    assert result.exit_code == 1
    assert result.stderr.startswith("✗ the page's answer to a declined card: expected 402, found 303")
