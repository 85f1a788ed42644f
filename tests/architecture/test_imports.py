"""Who may import whom: the contracts of `.importlinter`, and what they cannot say."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINTER = Path(sys.executable).with_name("lint-imports")
KNOWN_TO_BE_FALSE = """
[importlinter]
root_packages =
    billing_service
    webhook_gateway
    billing_client
include_external_packages = True

[importlinter:contract:false]
name = A rule that the code is known to break
type = forbidden
source_modules = {source}
forbidden_modules = {forbidden}
"""


def lint(config):
    return subprocess.run(
        [LINTER, "--config", config, "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_contract_is_kept():
    result = lint(ROOT / ".importlinter")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("source", "forbidden"),
    [
        ("billing_service.storage", "asyncpg"),
        ("webhook_gateway", "billing_client"),
        ("billing_service.ledger", "billing_service.domain"),
        ("billing_service.commands", "billing_service.storage"),
    ],
)
def test_a_broken_contract_is_seen(tmp_path, source, forbidden):
    config = tmp_path / "importlinter.ini"
    config.write_text(KNOWN_TO_BE_FALSE.format(source=source, forbidden=forbidden))
    result = lint(config)
    assert result.returncode == 1
    assert f"{source} is not allowed to import {forbidden}" in result.stdout


def test_the_rules_of_money_import_the_standard_library_and_themselves():
    """Nothing that reads a clock, a file, a socket or chance either."""
    unwanted = {
        "asyncio",
        "datetime",
        "os",
        "pathlib",
        "random",
        "secrets",
        "socket",
        "sqlite3",
        "subprocess",
        "threading",
        "time",
    }
    found = {}
    calendar = ROOT / "billing_service/domain/spending/windows.py"
    read_clock = re.search(r"\.(now|today|utcnow|fromtimestamp)\(", calendar.read_text())
    assert not read_clock, "it computes days, of times that it is given"
    for path in (ROOT / "billing_service" / "domain").rglob("*.py"):
        for name in set(imported(path)) - ({"datetime"} if path == calendar else set()):
            top = name.partition(".")[0]
            pure = top in sys.stdlib_module_names and top not in unwanted
            if not pure and not name.startswith("billing_service.domain"):
                found[path.name] = name
    assert found == {}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide who imports whom"
            yield node.module
