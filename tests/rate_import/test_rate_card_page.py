"""The page about rate cards shows a file that is one, and commands that run."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from billing_service.cli.app import app
from billing_service.domain.catalogue.rate_card_files import read_card
from billing_service.domain.catalogue.usage_kinds import UsageKind
from tests.rate_import.price_samples import priced

PAGE = (Path(__file__).parents[2] / "docs" / "rate-cards.md").read_text(encoding="utf-8")
CARD = read_card(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])
COMMANDS = [
    line.partition("#")[0].split()[1:] for line in re.search(r"```sh\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()
]


@pytest.mark.parametrize(
    ("case", "amount"),
    [
        ({"provider": "openai", "model": "gpt-5-2026-01-31", "lines": {"input_tokens": 1_000}}, 125_000),
        ({"provider": "azure", "model": "our-deployment", "lines": {"output_tokens": 1}}, 1_000),
        ({"provider": "openai", "model": "gpt-5", "service_tier": "fast", "lines": {"input_tokens": 1}}, 250),
        ({"provider": "openai", "model": "gpt-5", "lines": {"input_tokens": 272_001}}, 68_000_250),
        ({"provider": "deepseek", "model": "deepseek-chat", "lines": {"input_tokens": 100}}, 3_300),
        (
            {
                "provider": "deepseek",
                "model": "deepseek-chat",
                "attributes": {"region": "eu"},
                "lines": {"input_tokens": 100},
            },
            3_630,
        ),
    ],
)
def test_the_example_prices_what_the_page_says(case, amount):
    assert priced(CARD, case).amount_microcredits == amount


@pytest.mark.parametrize(
    "command",
    [words for words in COMMANDS if "import" not in words and "compare" not in words],
    ids=lambda words: words[1],
)
def test_its_commands_run(command):
    assert CliRunner().invoke(app, command).exit_code == 0


def test_every_kind_is_in_its_table():
    assert [kind for kind in UsageKind if kind.name.lower() not in PAGE] == []
