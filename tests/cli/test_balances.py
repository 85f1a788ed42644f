"""`billing balance` of a past moment, against everything running."""

import json
import re


def test_a_past_balance_is_shown_by_time_and_by_version(operate, account):
    for amount in ("5", "2"):
        operate("grant", account, amount, "--reason", "gift")
    assert json.loads(operate("balance", account, "--version", "1", "--json"))["available_microcredits"] == "5000000"
    now = json.loads(operate("balance", account, "--json"))
    assert json.loads(operate("balance", account, "--at", now["as_of_time"], "--json")) == now
    assert re.search(r"Balance of .* at 20\d\d-", operate("balance", account, "--version", "0"))
    assert operate("balance", "nobody", "--version", "1", code=1).startswith("ACCOUNT_NOT_FOUND")
