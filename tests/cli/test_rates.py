"""`billing rates`: card files without a service or a database; problems by their path, tables within 80 columns."""

import json

import pytest

from tests.cli.rate_cards import SAMPLE, told
from tests.cli.terminals import in_a_terminal, lines_of
from tests.support.rate_card_examples import BY_HAND


@pytest.fixture
def card(tmp_path):
    path = tmp_path / "card.json"
    path.write_text(BY_HAND, encoding="utf-8")
    return path


BAD_FILES = [
    ("missing.json", None, "missing.json: file: can't be read: No such file or directory"),
    ("card.toml", "", "card.toml: file: no card has the name"),
    ("card.json", "{", "card.json: file: not JSON: "),
    ("card.json", b"\xff", "card.json: file: not UTF-8: "),
    (
        "card.json",
        '{"format": 1, "version": "v", "effective_time": "soon", "entries": [{}]}',
        "card.json: entries[0].provider: is missing",
    ),
]


COMMANDS = [("check",), ("explain", "--provider", "p", "--model", "m"), ("compare", "built_in")]


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: bad[2][:40])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_file_that_is_no_card_is_told_problem_by_problem(billing, tmp_path, bad, command):
    name, content, line = bad
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    result = billing("rates", *command, name)
    assert result.exit_code == 2
    assert line in result.stderr
    assert "Traceback" not in result.output


def test_many_problems_are_counted(billing, tmp_path):
    entry = {"provider": "p", "model": "m", "columns": [{"prices": {"tokens": {}}}]}
    (tmp_path / "card.json").write_text(
        json.dumps({"format": 1, "version": "v", "effective_time": "2026-01-01T00:00:00Z", "entries": [entry] * 80})
    )
    result = billing("rates", "check", "card.json")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "… and 30 more"


def test_check_says_what_a_card_has(billing, card):
    result = billing("rates", "check", card, "--json")
    assert (result.exit_code, told(result)) == (
        0,
        {
            "version": "hand-1",
            "source": "by hand",
            "effective_time": "2026-11-30T00:00:00Z",
            "markup_ppm": 150_000,
            "entries": 9,
            "aliases": 2,
            "columns": 12,
            "prices": 26,
            "fallbacks": 1,
            "provider_costs": 1,
            "wide_patterns": ["openai ft:gpt**", "openai ft:gpt-5**"],
        },
    )
    shown = billing("rates", "check", card).stdout
    assert "15 %" in shown
    assert "wide: openai ft:gpt** prices any model" in shown


EXPLAINED = [
    (
        ["--provider", "openai", "--model", "gpt-7", "--input-tokens", "1"],
        1,
        ("UNKNOWN_MODEL: rate card hand-1 has no model 'gpt-7' of provider 'openai'"),
    ),
    (["--provider", "openai", "--model", "gpt-7"], 1, "of openai it has gpt-5*, gpt-5-mini, gpt-5-nano*"),
    (
        ["--provider", "opnai", "--model", "gpt-5", "--input-tokens", "1"],
        1,
        ("the card has the providers anthropic, deepseek, openai, openrouter"),
    ),
    (
        ["--provider", "openai", "--model", "gpt-5", "--input-tokens", "1", "--service-tier", "flex"],
        1,
        ("gpt-5* has prices for: the standard tier, priority"),
    ),
    (
        ["--provider", "openai", "--model", "gpt-5", "--cached-input-tokens", "1"],
        1,
        ("PRICE_MISSING: no price for cached_input_tokens"),
    ),
    (
        ["--provider", "openai", "--model", "gpt-5", "--line", "smell=1"],
        2,
        ("--line smell=1: 'smell' is no kind of usage"),
    ),
    (
        ["--provider", "openai", "--model", "gpt-5", "--line", "images=many"],
        2,
        ("--line images=many: must be a whole number of at least 0"),
    ),
    (
        ["--provider", "openai", "--model", "gpt-5", "--line", "images=-1"],
        2,
        ("--line images=-1: must be a whole number of at least 0"),
    ),
    (
        ["--provider", "openai", "--model", "gpt-5", "--line", f"images={'9' * 30}"],
        2,
        ("must be a whole number of at least 0"),
    ),
    (["--provider", "openai", "--model", "gpt-5", "--line", "images"], 2, "--line images: must be NAME=VALUE"),
    (
        ["--provider", "openai", "--model", "gpt-5", "--input-tokens", "1", "--attribute", "=x"],
        2,
        ("--attribute =x: must be NAME=VALUE"),
    ),
    (
        ["--provider", "openai", "--model", "gpt-5", "--input-tokens", "1", "--line", "input_tokens=1"],
        1,
        "INVALID_FIELD: usage.lines[1].kind: input_tokens is there twice",
    ),
    (
        ["--provider", "openai", "--model", "gpt-5", "--input-tokens", "1", "--provider-cost-usd", "1"],
        1,
        "INVALID_FIELD: usage.provider_cost_usd",
    ),
]


@pytest.mark.parametrize(("options", "code", "line"), EXPLAINED)
def test_what_can_not_be_explained_says_what_there_is(billing, card, options, code, line):
    result = billing("rates", "explain", card, *options)
    assert result.exit_code == code
    assert line in result.stderr


def test_explain_shows_entry_column_tier_prices_and_amount(billing, card):
    usage = (
        "--input-tokens",
        "200000",
        "--line",
        "cache_write_tokens:1h=1",
        "--attribute",
        "speed=standard",
        "--at",
        "2026-11-30T16:00:00Z",
    )
    result = billing(
        "rates", "explain", card, "--provider", "anthropic", "--model", "claude-sonnet-4-5-20250929", *usage, "--json"
    )
    assert result.exit_code == 1
    found = told(result)
    assert [found[name] for name in ("entry", "found_by", "prompt_tier", "markup", "missing")] == [
        "claude-sonnet-4-5*",
        "dated",
        "above 200,000",
        "10 %, of the provider",
        ["cache_write_tokens:1h"],
    ]
    below = told(
        billing(
            "rates",
            "explain",
            card,
            "--provider",
            "anthropic",
            "--model",
            "claude-sonnet-4-5",
            "--input-tokens",
            "7",
            "--json",
        )
    )
    assert (below["exact_microcredits"], below["amount_microcredits"]) == ("2310", 2310)
    assert below["lines"] == [
        {"measure": "input_tokens", "quantity": 7, "unit_price_usd": "0.000003", "cost_usd": "0.000021", "fallback": ""}
    ]


def test_explain_goes_by_the_hour(billing, card):
    costs = [
        told(
            billing(
                "rates",
                "explain",
                card,
                "--provider",
                "deepseek",
                "--model",
                "deepseek-chat",
                "--input-tokens",
                "1000",
                "--at",
                at,
                "--json",
            )
        )["amount_microcredits"]
        for at in ("2026-11-30T00:30:00Z", "2026-11-30T12:00:00Z")
    ]
    assert costs == [17_250, 34_500]


def test_explain_without_a_usage_shows_every_price(billing, card):
    found = told(billing("rates", "explain", card, "--provider", "openai", "--model", "gpt-latest", "--json"))
    assert (found["entry"], found["found_by"]) == ("gpt-5-mini", "alias")
    assert {"measure": "reasoning_tokens", "usd": "0.000002", "for": "", "fallback": "output_tokens"} in found["prices"]


def test_compare_shows_what_changed(billing, card, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(
        BY_HAND.replace('"per_million_usd": "1.25"', '"per_million_usd": "1.5"').replace('"openrouter"', '"router"')
    )
    found = told(billing("rates", "compare", card, other, "--json"))["differences"]
    assert found == [
        {"provider": "openai", "model": "gpt-5*", "what": "input_tokens", "before": "0.00000125", "after": "0.0000015"},
        {"provider": "openrouter", "model": "auto", "what": "entry", "before": "1 price", "after": ""},
        {"provider": "router", "model": "auto", "what": "entry", "before": "", "after": "1 price"},
    ]
    assert "+20 %" in billing("rates", "compare", card, other).stdout
    assert billing("rates", "compare", card, card).stdout == "differences: none\n"


def test_compare_says_how_many_more_there_are(billing, card):
    shown = billing("rates", "compare", "built_in", card).stdout.splitlines()
    assert "50 of " in shown[-1]
    assert "--all" in shown[-1]
    assert len(billing("rates", "compare", "built_in", card, "--all").stdout.splitlines()) > 100


SHOWN = [
    ("check", "built_in"),
    (
        "explain",
        "built_in",
        "--provider",
        "anthropic",
        "--model",
        "claude-opus-5-5",
        "--input-tokens",
        "1000000",
        "--line",
        "cache_write_tokens:30m=999999",
    ),
    ("explain", "built_in", "--provider", "gemini", "--model", "gemini-2.5-pro"),
    ("compare", "built_in", "{card}"),
    ("import", "litellm", "--map", str(SAMPLE)),
]


@pytest.mark.parametrize("command", SHOWN, ids=lambda words: words[0])
def test_tables_fit_eighty_columns(card, command):
    lines = lines_of(in_a_terminal(80, "rates", *(word.format(card=card) for word in command)))
    assert len(lines) > 5
    assert [line for line in lines if len(line) > 80 and " " in line.strip()] == []
