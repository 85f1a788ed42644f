"""What operators do, against everything running: `billing dev` as a process, the commands in this one."""

import json
import re

import httpx
import pytest


@pytest.fixture
def operate(billing, dev_stack):
    """Runs a command against the service; answers standard output. The command must succeed unless another code is expected."""
    address, _ = dev_stack

    def run(*arguments, code=0):
        result = billing(*arguments, BILLING_ADDRESS=address)
        assert result.exit_code == code, result.output + result.stderr
        return result.stderr if code else result.stdout

    return run


@pytest.fixture
def account(operate, request):
    """An account of this test's own."""
    name = f"{request.node.name.removeprefix('test_')[:40]}"
    operate("accounts", "create", name, "--email", "ada@example.com", "--name", "[bold]Ada[/bold]")
    return name


def buy(operate, dev_stack, account, *arguments):
    """A completed purchase; answers its id."""
    said = operate("purchases", "create", account, *arguments)
    form = {"email": "a@example.com", "method": "card", "number": "4242424242424242", "expiry": "12/39", "cvc": "123", "name": "A"}
    assert httpx.post(re.search(r"Pay at (\S+)", said)[1], data=form).status_code == httpx.codes.SEE_OTHER
    drained = httpx.post(f"{dev_stack[1]}/_sandbox/webhooks/drain", json={"timeout_s": 20}).json()
    assert drained["drained"]
    return re.search(r"pur_\w+", said)[0]


REFUSED = [
    (["balance", "nobody"], "ACCOUNT_NOT_FOUND", "billing accounts list"),
    (["accounts", "freeze", "nobody", "--reason", "x"], "ACCOUNT_NOT_FOUND", "billing accounts list"),
    (["accounts", "create", "no-address", "--email", "ada@example"], "INVALID_FIELD", "such as ada@example.com"),
    (["purchases", "show", "pur_nothing"], "PURCHASE_NOT_FOUND", "billing purchases list"),
    (["purchases", "create", "ada", "--package", "huge"], "UNKNOWN_PACKAGE", "billing packages"),
    (["refund", "pur_nothing"], "PURCHASE_NOT_FOUND", "billing purchases list"),
    (["events", "show", "evt_nothing"], "STRIPE_EVENT_NOT_FOUND", "billing events list"),
    (["events", "replay", "evt_nothing"], "STRIPE_EVENT_NOT_FOUND", "billing events list"),
    (["keys", "revoke", "nothing"], "API_KEY_NOT_FOUND", "billing keys list"),
    (["verify", "--account", "nobody"], "ACCOUNT_NOT_FOUND", ""),
]


@pytest.mark.parametrize(("arguments", "reason", "hint"), REFUSED, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_refusal_is_one_line_with_reason_and_hint(operate, arguments, reason, hint):
    said = operate(*arguments, code=1)
    assert said.count("\n") == 1
    assert said.startswith(f"{reason}: ")
    assert hint in said


def test_credits_given_and_corrected_are_on_the_statement(operate, account):
    operate("grant", account, "100.5", "--reason", "welcome", "--category", "paid", "--expires", "30d", "--priority", "3")
    operate("adjust", account, "-0.000001", "--reason", "correction")
    assert "INSUFFICIENT_CREDITS" in operate("adjust", account, "-1000", "--reason", "too much", code=1)
    shown = operate("balance", account)
    assert re.search(r"paid\s+│ 100.499999", shown)
    assert "expiring next" in shown
    statement = json.loads(operate("transactions", account, "--json"))
    assert [row["amount_microcredits"] for row in statement] == ["-1", "100500000"]
    assert "-0.000001" in operate("transactions", account, "--kind", "adjustment", "--since", "1h")
    assert operate("transactions", account, "--kind", "purchase") == f"Statement of {account}: none\n"
    assert "welcome" in operate("audit", "--account", account)


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


def test_purchase_is_paid_refunded_and_its_events_replayed(operate, dev_stack, account):
    purchase = buy(operate, dev_stack, account, "--package", "starter")
    assert re.search(r"status\s+│ completed", operate("purchases", "show", purchase))
    assert re.search(r"money\s+│ 10.00 USD", operate("refund", purchase, "--quote"))
    assert "no amount of USD" in operate("refund", purchase, "--amount", "1.005", code=2)
    assert re.search(r"credits taken\s+│ 250", operate("refund", purchase, "--amount", "2.50", "--reason", "too many"))
    assert re.search(r"completed\s+│ 2.50 USD", operate("purchases", "list", account))
    events = json.loads(operate("events", "list", "--status", "processed", "--json"))
    event = next(event["event_id"] for event in events if event["event_type"] == "checkout.session.completed")
    assert operate("events", "replay", event).startswith(f"{event}: duplicate")
    assert json.loads(operate("events", "show", event, "--payload"))["id"] == event
    assert "750" in operate("balance", account)
    assert "PURCHASE_NOT_CANCELABLE" in operate("purchases", "cancel", purchase, code=1)


def test_custom_amount_is_called_off(operate, account):
    said = operate("purchases", "create", account, "--amount", "12.50")
    assert re.search(r"credits\s+│ 1,250", said)
    session = re.search(r"cs_\w+", said)[0]
    assert re.search(r"status\s+│ canceled", operate("purchases", "cancel", session))


def test_packages_and_referral_are_shown(operate, account):
    assert re.search(r"starter\s+│ Starter Pack\s+│\s+1,000 │\s+10.00 USD", operate("packages"))
    assert re.search(r"referred by\s+│ nobody", operate("referral", account))


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
    assert operate("verify", "--account", account).startswith("✓ the ledger proves every balance: 1 accounts, 1 transactions")
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
