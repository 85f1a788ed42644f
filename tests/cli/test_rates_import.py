"""`billing rates import`: a price list becomes a card file, and all that is not in it is named."""

import pytest

from billing_service.domain.catalogue.rate_card_files import read_card
from tests.cli.rate_cards import SAMPLE, told


def test_import_of_a_library_that_is_not_here(billing):
    result = billing("rates", "import", "litellm")
    assert result.exit_code == 2
    assert "pip install 'prepaid-billing[rates-litellm]'" in result.stderr
    assert "rates-genai" in billing("rates", "import", "genai-prices").stderr


BAD_IMPORTS = [
    (["openai"], "'openai' is none of litellm, genai-prices"),
    (["genai-prices", "--map", "x.json"], "--map: goes with litellm"),
    (["litellm", "--map", "x.json"], "--map x.json: No such file or directory"),
    (["litellm", "--map", "no.json"], "--map no.json: is no price map"),
]


@pytest.mark.parametrize(("arguments", "line"), BAD_IMPORTS)
def test_an_import_that_can_not_begin(billing, tmp_path, arguments, line):
    (tmp_path / "no.json").write_text("[1]")
    result = billing("rates", "import", *arguments)
    assert result.exit_code == 2
    assert line in result.stderr


def test_import_writes_a_card_and_names_all_that_is_not_in_it(billing, tmp_path):
    arguments = ("rates", "import", "litellm", "--map", SAMPLE, "--effective", "2026-11-30")
    found = told(billing(*arguments, "--json"))
    assert [found[fate] for fate in ("imported", "alias", "duplicate", "refused", "unpriced")] == [59, 1, 2, 9, 1]
    assert found["models"]["exa_ai/search"] == {
        "fate": "refused",
        "why": "priced by the number of results that were asked for",
        "omitted": [],
        "notes": [],
    }
    out = tmp_path / "new.json"
    shown = billing(*arguments, "--out", out, "--card-version", "mine", "--all").stdout
    assert "azure_ai/model_router" in shown
    assert "left out: rerank-v3.5: " in shown
    card = read_card(out.read_text(encoding="utf-8"))
    assert (card.version, card.source.name, len(card.entries)) == ("mine", "litellm", 59)
    assert billing("rates", "check", out).exit_code == 0
    assert billing(*arguments, "--out", tmp_path / "no" / "x.json").stderr.endswith("No such file or directory\n")
