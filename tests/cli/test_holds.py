"""`billing holds`: what is reserved, and giving it back."""

import json

from billing_client import BillingClient

CREDIT = 1_000_000


def test_an_operator_looks_for_holds_and_gives_one_back(operate, account, dev_stack):
    operate("grant", account, "10", "--reason", "gift")
    assert operate("holds", "list", account) == f"Holds of {account}: none\n"
    with BillingClient(dev_stack[0], plaintext=True) as client:
        held = client.hold_credits(account_id=account, amount_microcredits=4 * CREDIT, description="a call").hold
        other = client.hold_credits(account_id=account, amount_microcredits=CREDIT).hold
        client.capture_hold(account_id=account, hold_id=other.hold_id, amount_microcredits=CREDIT)
    listed = json.loads(operate("holds", "list", account, "--json"))
    assert [hold["hold_id"] for hold in listed] == [other.hold_id, held.hold_id]
    opened = json.loads(operate("holds", "list", account, "--open", "--json"))
    assert [hold["hold_id"] for hold in opened] == [held.hold_id]
    assert "a call" in operate("holds", "show", account, held.hold_id)
    said = operate("holds", "release", account, held.hold_id, "--reason", "nobody uses it")
    assert "released" in said
    assert "9" in said.splitlines()[-1], "available now"
    assert operate("holds", "list", account, "--open") == f"Open holds of {account}: none\n"
    assert "HOLD_CLOSED" in operate("holds", "release", account, held.hold_id, code=1)
