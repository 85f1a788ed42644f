"""`billing rates create|list|show|diff` against a running service."""

import json
import re

import pytest

from billing_service.domain.catalogue.rate_card_files import read_card
from billing_service.domain.catalogue.rate_card_text import card_text
from billing_service.rate_cards import built_in_card
from tests.support.rate_card_examples import card_file

BUILT_IN = built_in_card().version


@pytest.fixture
def stored(operate, tmp_path, request):
    """The card written by hand, stored under a version of this test's own; answers the version and the file."""
    version = re.sub(r"[^a-z]+", "-", request.node.name)
    path = tmp_path / "mine.json"
    path.write_bytes(card_file(version))
    return version, path, json.loads(operate("rates", "create", path, "--json"))


REFUSED = [
    (
        ["rates", "show", "nothing"],
        1,
        "RATE_CARD_NOT_FOUND: there is no rate card nothing (`billing rates list` shows the cards)",
    ),
    (["rates", "diff", "nothing"], 1, "RATE_CARD_NOT_FOUND"),
    (["rates", "diff", "missing.json"], 2, "missing.json: file: can't be read"),
    (["rates", "create", "missing.json"], 2, "missing.json: file: can't be read"),
    (["rates", "create", "built_in"], 1, f"RATE_CARD_EXISTS: there is a rate card {BUILT_IN} already"),
    (["rates", "show", "--model", "gpt-5"], 2, "give --provider and --model together"),
    (["rates", "show", "--provider", "openai"], 2, "give --provider and --model together"),
    (["rates", "show", "--provider", "openai", "--model", "gpt-0"], 1, "UNKNOWN_MODEL"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "line"), REFUSED, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_what_is_refused_is_said_in_a_line(operate, arguments, code, line):
    assert line in operate(*arguments, code=code)


def test_a_file_with_faults_is_refused_before_anything_is_sent(billing, tmp_path):
    (tmp_path / "bad.json").write_bytes(card_file().replace(b'"usd": "0.04"', b'"usd": "free"'))
    result = billing("rates", "create", "bad.json", BILLING_ADDRESS="127.0.0.1:9")
    assert result.exit_code == 2
    assert result.stderr.startswith("bad.json: entries[7].columns[0].prices.images.usd: ")


def test_an_existing_file_is_not_overwritten(operate, stored):
    _, path, _ = stored
    before = path.read_bytes()
    assert "mine.json: File exists" in operate("rates", "show", "--out", path, code=1)
    assert path.read_bytes() == before


def test_a_card_is_created_once_for_a_key(operate, tmp_path):
    (tmp_path / "one.json").write_bytes(card_file("one"))
    for replayed in (False, True):
        made = json.loads(operate("rates", "create", "one.json", "--idempotency-key", "one", "--json"))
        assert (made["rate_card"]["version"], made["replayed"]) == ("one", replayed)
    assert "RATE_CARD_EXISTS" in operate("rates", "create", "one.json", code=1)


def test_the_list_says_which_card_is_in_force(operate, stored):
    version, _, made = stored
    shown = operate("rates", "list")
    assert re.search(rf"{BUILT_IN}\s.*in force", shown)
    assert version in shown
    listed = json.loads(operate("rates", "list", "--limit", "1", "--json"))
    assert listed == [made["rate_card"]]


def test_a_card_is_shown_written_and_the_same(operate, stored, tmp_path):
    version, path, _ = stored
    shown = operate("rates", "show", version, "--out", "out.json")
    assert re.search(r"entries\s+9", shown)
    assert "wide: openai ft:gpt** prices any model" in shown
    assert (tmp_path / "out.json").read_text() == card_text(read_card(path.read_text()))
    prices = json.loads(operate("rates", "show", version, "--provider", "openai", "--model", "gpt-latest", "--json"))
    assert prices["entry"] == "gpt-5-mini"
    assert json.loads(operate("rates", "show", "--json"))["version"] == BUILT_IN


def test_diff_shows_what_a_card_changes(operate, stored, tmp_path):
    version, path, _ = stored
    other = tmp_path / "other.json"
    other.write_text(path.read_text().replace('"per_million_usd": "20"', '"per_million_usd": "30"'))
    found = json.loads(operate("rates", "diff", "other.json", "--before", version, "--json"))["differences"]
    assert found == [
        {
            "provider": "openai",
            "model": "gpt-5*",
            "what": "priority output_tokens",
            "before": "0.00002",
            "after": "0.00003",
        }
    ]
    assert "+50 %" in operate("rates", "diff", "other.json", "--before", version)
    assert json.loads(operate("rates", "diff", path, "--before", version, "--json"))["differences"] == []
    against_in_force = json.loads(operate("rates", "diff", version, "--json"))["differences"]
    assert (
        against_in_force
        == json.loads(operate("rates", "diff", path, "--before", "built_in", "--json"))["differences"]
        != []
    )


QUOTE = (
    "rates",
    "quote",
    "--provider",
    "openai",
    "--model",
    "gpt-5",
    "--input-tokens",
    "1000",
    "--output-tokens",
    "10",
)


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("--line", "smell=1"), 2, "--line smell=1: 'smell' is no kind of usage"),
        (("--line", "images=1"), 1, "PRICE_MISSING: rate card"),
        (("--model", "gpt-0"), 1, "UNKNOWN_MODEL: rate card"),
        (("--input-tokens", "0", "--output-tokens", "0"), 1, "INVALID_FIELD: usage.lines: USAGE_EMPTY"),
        (("--attribute", "region"), 2, "--attribute region: must be NAME=VALUE"),
    ],
)
def test_what_has_no_price_is_not_quoted(operate, arguments, code, line):
    assert line in operate(*QUOTE, *arguments, code=code)


def test_a_quote_is_the_card_s_price_line_by_line(operate):
    quoted = json.loads(operate(*QUOTE, "--json"))
    explained = json.loads(operate("rates", "explain", "built_in", *QUOTE[2:], "--json"))
    assert quoted["price"]["rate_card_version"] == BUILT_IN
    assert quoted["price"]["exact_total"] == explained["exact_microcredits"]
    assert quoted["price"]["amount_microcredits"] == str(explained["amount_microcredits"])
    assert [line["cost_usd"] for line in quoted["price"]["lines"]] == [line["cost_usd"] for line in explained["lines"]]
    shown = operate(*QUOTE, "--at", "1h")
    assert re.search(r"priced at\s+the time of the call", shown)
    assert re.search(r"input_tokens\s+1000\s", shown)
    assert re.search(r"markup\s+15 %, of the card", shown)
