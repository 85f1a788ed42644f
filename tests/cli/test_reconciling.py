"""`billing reconcile` and `billing explain`: what Stripe has against what the ledger has."""

import json

import pytest


@pytest.fixture
def lost(operate, account, buy, dev_stack):
    """A purchase that was paid; what else Stripe has of other tests is repaired."""
    bought = buy(account, "--package", "starter")
    operate("reconcile", "--since", "1h", "--apply", "--reason", "other tests")
    del dev_stack
    return bought


def test_nothing_differs_once_it_was_repaired(operate, lost):
    del lost
    title, *_, last = operate("reconcile", "--since", "1h").splitlines()
    assert title == "Differences: none"
    assert last.endswith("objects and events compared, 0 differ")
    assert operate("reconcile", "--since", "1h", "--json") == ""


def test_a_repair_needs_its_reason_and_times_that_are_ones(operate):
    for command in (("reconcile",), ("explain", "pur_1")):
        assert "--reason" in operate(*command, "--apply", code=2)
    assert "is no time" in operate("reconcile", "--since", "yesterday", code=2)
    assert "end_time" in operate("reconcile", "--since", "1h", "--until", "2h", code=1)
    assert "resume_token" in operate("reconcile", "--resume", "AAAA", code=1)


def test_one_purchase_is_explained(operate, account, lost):
    said = operate("explain", lost)
    for words in (f"Purchase {lost}", account, "At Stripe", "checkout.session", "payment_intent", "Differences: none"):
        assert words in said, words
    assert said.splitlines()[-1] == "The ledger says what Stripe says."
    shown = json.loads(operate("explain", lost, "--json"))
    assert [each["kind"] for each in shown["objects"]] == ["checkout.session", "payment_intent"]
    session = shown["objects"][0]
    assert f"Purchase {lost}" in operate("explain", session["id"]), "by what the customer's page shows"
    assert operate("explain", "pur_nobody", code=1).startswith("PURCHASE_NOT_FOUND: ")
