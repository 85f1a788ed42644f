"""The documents say what is: settings as the code has them, links that lead somewhere, commands that exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from billing_service.settings.table import settings_table

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(path for path in ROOT.rglob("*.md") if not {".venv", ".run", "build", "node_modules", ".git"} & set(path.parts))
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)")


def test_the_settings_table_is_the_settings():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("<!-- settings -->\n")[2].partition("<!-- /settings -->")[0]
    assert table == settings_table()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    targets = [target for target in LINK.findall(document.read_text(encoding="utf-8")) if "://" not in target]
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert missing == []


def test_the_commands_of_the_readme_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\bbilling ((?:keys|purchases|refunds|accounts|events) [a-z]+|[a-z]+)\b", text)) - {"service", "provider"}
    offered = {command for command in named if _offered(command)}
    assert named
    assert named - offered == set()


def _offered(command: str) -> bool:
    arguments = [sys.executable, "-m", "billing_service.cli", *command.split(), "--help"]
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, check=False).returncode == 0
