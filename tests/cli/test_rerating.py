"""`billing rates rerate`: a table of models, of the accounts with the largest differences, and of what has no price."""

import json
import re

import pytest
from billing_client import BillingClient, Usage, UsageKind, UsageLine
from prepaid.billing.v1.reasons_pb2 import Reason
from prepaid.billing.v1.rerating_pb2 import ReRatedAccount, ReRatedModel, ReRatedTotals, ReRateResponse, UnpricedUsage

from billing_service.cli.rerating import show
from billing_service.cli.rerating_sums import Sums
from tests.support.rate_card_examples import card_file

REFUSED = [
    (["--since", "1h"], 2, "--to"),
    (["--to", "none", "--since", "1h"], 1, "RATE_CARD_NOT_FOUND"),
    (["--to", "none", "--since", "93d"], 1, "INVALID_FIELD: end_time: must be after start_time, by at most 92 days"),
    (["--to", "none", "--since", "soon"], 2, "is no time"),
    (["--to", "none", "--since", "1h", "--apply"], 2, "--apply: needs --reason"),
    (["--to", "none", "--since", "1h", "--apply", "--reason", "r"], 1, "RATE_CARD_NOT_FOUND"),
    (["--to", "none", "--since", "1h", "--until", "1m", "--apply", "--reason", "r"], 1, "end_time: must be 1200 s ago"),
    (["--to", "none", "--since", "1h", "--accounts", "1001"], 2, "1000"),
]


@pytest.mark.parametrize(("arguments", "code", "line"), REFUSED)
def test_what_is_refused_is_said(operate, arguments, code, line):
    assert line in operate("rates", "rerate", *arguments, code=code)


@pytest.fixture
def charged(operate, dev_stack, tmp_path):
    """Two accounts with usage by the card that comes with the service, and another card; answers its version."""
    path = tmp_path / "mine.json"
    path.write_bytes(card_file("mine"))
    operate("rates", "create", path, "--idempotency-key", "mine")
    tokens = [UsageLine(kind=UsageKind.USAGE_KIND_INPUT_TOKENS, quantity=100_000)]
    with BillingClient(dev_stack[0], plaintext=True) as client:
        for account_id, model, times in (("ada", "gpt-5-mini", 2), ("bob", "gpt-5-mini", 1), ("bob", "gpt-5.1", 1)):
            client.grant_credits(account_id=account_id, amount_microcredits=100_000_000, reason="gift")
            usage = Usage(provider="openai", model=model, lines=tokens)
            for _ in range(times):
                client.deduct_credits(account_id=account_id, usage=usage)
    return "mine"


def test_a_window_is_shown_by_model_and_account(operate, charged):
    """A call of gpt-5-mini is 2,500,000 microcredits and 15 %, without markup by the other card."""
    shown = operate("rates", "rerate", "--to", charged, "--since", "1h", "--accounts", "1")
    lines = [re.split(r" {2,}", line.strip()) for line in shown.splitlines()]
    assert ["model", "usages", "charged", "new", "difference", "uncollected"] in lines
    assert ["openai gpt-5-mini", "3", "8.625", "7.5", "-1.125", "0"] in lines
    assert ["ada", "2", "5.75", "5", "-0.75", "0"] in lines
    assert ["1 others", "1", "2.875", "2.5", "-0.375", "0"] in lines
    assert ["openai gpt-5.1", "model", "1", "14.375"] in lines
    found = json.loads(operate("rates", "rerate", "--to", charged, "--since", "1h", "--json"))
    assert found["totals"]["difference_microcredits"] == "-1125000"
    assert [(one["account_id"], one["usage_count"]) for one in found["accounts"]] == [("ada", "2"), ("bob", "1")]
    assert (found["other_accounts"]["account_count"], found["other_accounts"]["usage_count"]) == ("0", "0")
    assert found["unpriced"][0]["missing"] == "model"


def test_usage_that_is_young_is_not_corrected(operate, charged):
    shown = operate("rates", "rerate", "--to", charged, "--since", "1h", "--apply", "--reason", "a wrong price")
    assert "By model, in credits: none" in shown


def test_what_was_corrected_is_shown(capsys):
    with Sums() as sums:
        part = part_of(("a", -5_000_000))
        for totals in (part.models[0].totals, part.accounts[0].totals):
            totals.corrected_microcredits, totals.shortfall_microcredits, totals.decided_count = -4_000_000, 70, 1
        part.uncorrected.add(account_id="full", refusal=Reason.REASON_BALANCE_LIMIT_REACHED)
        sums.add(part)
        show(sums, 1, applied=True)
    lines = [re.split(r" {2,}", line.strip()) for line in capsys.readouterr().out.splitlines()]
    assert ["account", "usages", "charged", "new", "difference", "corrected", "short"] in lines
    assert ["a", "1", "0", "0", "-5", "-4", "0.00007"] in lines
    assert ["full", "balance_limit_reached"] in lines
    assert ["1 usages were decided by this card before"] in lines


def part_of(*accounts):
    """A part where each account had one usage with that difference."""
    totals = {name: ReRatedTotals(usage_count=1, difference_microcredits=amount) for name, amount in accounts}
    return ReRateResponse(
        models=[ReRatedModel(provider="p", model="m", totals=each) for each in totals.values()],
        accounts=[ReRatedAccount(account_id=name, totals=each) for name, each in totals.items()],
        unpriced=[UnpricedUsage(provider="p", model="x", missing="model", usage_count=2, charged_microcredits=7)],
    )


def test_accounts_are_added_up_over_all_parts():
    with Sums() as sums:
        sums.add(part_of(("a", 5), ("b", -9)))
        sums.add(part_of(("a", 6), ("c", 1), ("d", -1)))
        largest, others = sums.accounts(2)
        assert [(name, amounts.of("usage_count")) for name, amounts in largest] == [("a", 2), ("b", 1)]
        assert [amounts.of("difference_microcredits") for _, amounts in largest] == [11, -9]
        assert (others.account_count, others.amounts.of("usage_count")) == (2, 2)
        assert sums.total.of("difference_microcredits") == 2
        assert (sums.usages, sums.unpriced) == (9, {("p", "x", "model"): (4, 14)})


def test_a_sum_beyond_64_bits_is_exact():
    with Sums() as sums:
        for number in range(3):
            sums.add(part_of((f"a-{number}", 2**62)))
        assert sums.total.of("difference_microcredits") == 3 * 2**62
        assert sums.accounts(1)[1].amounts.of("difference_microcredits") == 2**63
