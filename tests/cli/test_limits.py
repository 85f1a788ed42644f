"""`billing limits`: setting, reading and removing what may be charged."""

import json

from billing_client import BillingClient

CREDIT = 1_000_000


def test_an_operator_sets_reads_and_removes_limits(operate, account, dev_stack):
    assert operate("limits", "list", account) == f"Spend limits of {account}: none\n"
    operate("limits", "set", account, "100", "--window", "month")
    said = operate("limits", "set", account, "2.5", "--window", "day", "--spender", "agent-7")
    assert said.splitlines()[0] == f"Spend limits of agent-7 at {account}"
    assert said.splitlines()[2].split()[:5] == ["agent-7", "day", "2.5", "0", "2.5"]
    operate("grant", account, "10", "--reason", "gift")
    with BillingClient(dev_stack[0], plaintext=True) as client:
        client.deduct_credits(account_id=account, amount_microcredits=CREDIT, spender_ids=["agent-7"])
    listed = operate("limits", "list", account).splitlines()[2:]
    assert [line.split()[:5] for line in listed] == [
        ["(account)", "month", "100", "1", "99"],
        ["agent-7", "day", "2.5", "1", "1.5"],
    ]
    kept = json.loads(operate("limits", "set", account, "0.5", "--window", "day", "--spender", "agent-7", "--json"))
    assert [
        (each["window"], each["used_microcredits"], each["left_microcredits"]) for each in kept["spend_limits"]
    ] == [("day", "1000000", "0")]
    for _ in range(2):
        gone = operate("limits", "remove", account, "--window", "day", "--spender", "agent-7")
        assert gone == f"Spend limits of agent-7 at {account}: none\n"
    (left,) = json.loads(operate("limits", "list", account, "--json"))
    assert (left["spender_id"], left["window"]) == ("", "month")


def test_what_can_not_be_a_limit_is_said(billing, operate, account):
    assert billing("limits", "set", account, "5", "--window", "week").exit_code == 2
    assert billing("limits", "set", account, "much", "--window", "day").exit_code == 2
    assert billing("limits", "set", account, "5").exit_code == 2, "a window is required"
    assert operate("limits", "set", "nobody", "5", "--window", "day", code=1).startswith("ACCOUNT_NOT_FOUND: ")
    assert operate("limits", "list", "nobody", code=1).startswith("ACCOUNT_NOT_FOUND: ")
