"""The rules fit the product: they name metrics and labels that are there, and each is fired by a test."""

import ast
import asyncio
import re
import subprocess
from pathlib import Path

import pytest

from tests.monitoring.alert_rules import METRIC, ROOT, RULES, RULES_FILE, WEBHOOKS, metrics_of, promtool, scrape

SELECTOR = re.compile(r"\b([a-z_]+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
PROMISES = set(re.findall(r"\b(P\d+b?)\b", (ROOT / "tests" / "README.md").read_text(encoding="utf-8")))


def alternatives(operator, value):
    """A plain list of alternatives is taken apart: each of them must be there."""
    return value.split("|") if operator == "=~" and "(" not in value else [value]


def positive_matchers(body):
    """Every combination of one matcher with the others that a selector asks for."""
    wanted = [(name, operator, value) for name, operator, value in MATCHER.findall(body) if operator in {"=", "=~"}]
    others = [(name, value) for name, _, value in wanted]
    for name, operator, value in wanted:
        for alternative in alternatives(operator, value):
            yield [(name, alternative), *(other for other in others if other[0] != name)]


async def test_what_rules_ask_for_is_there_from_the_start(watched, sqlite_template, tmp_path):
    heads = tmp_path / "heads"
    heads.mkdir()
    database = tmp_path / "billing.db"
    database.write_bytes(sqlite_template.read_bytes())
    async with watched(f"sqlite:///{database}", BILLING_HEADS_DIRECTORY=str(heads), **WEBHOOKS) as running:
        series = [name.partition("{") for name in (await asyncio.to_thread(running.scrape)).samples]
    labels = [(name, dict(LABEL.findall(rest))) for name, _, rest in series]
    for alert, rule in RULES.items():
        assert metrics_of(rule) <= {name for name, _ in labels}, alert
        for metric, body in SELECTOR.findall(rule["expr"]):
            for wanted in positive_matchers(body):
                fits = [
                    all(re.fullmatch(value, found.get(name, "")) for name, value in wanted)
                    for at, found in labels
                    if at == metric
                ]
                assert any(fits), f"{alert}: no {metric} has {wanted}"


@pytest.mark.parametrize("alert", RULES)
def test_each_rule_says_what_is_wrong_and_what_to_do(alert):
    rule = RULES[alert]
    assert METRIC.search(rule["expr"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["labels"]["promise"] in PROMISES
    assert 20 < len(rule["annotations"]["summary"]) < 100
    assert len(rule["annotations"]["description"]) > 100


def fired_by_tests():
    """What the tests of this folder say they fire: the texts in what they name `fired`."""
    for path in Path(__file__).parent.glob("test_alert*_of_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = (isinstance(node, ast.keyword) and node.arg == "fired") or (
                isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["fired"]
            )
            if named:
                yield from (part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant))


def test_each_rule_is_fired_by_a_test():
    assert set(fired_by_tests()) == set(RULES)


def test_prometheus_takes_the_rules():
    result = subprocess.run(
        [promtool(), "check", "rules", RULES_FILE], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_page_that_is_not_served_has_no_samples():
    assert scrape().samples == {}
