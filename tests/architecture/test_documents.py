"""The documents say what is: settings as the code has them, links that lead somewhere, commands that exist."""

import re
import subprocess
from pathlib import Path

import pytest
import typer

from billing_service.cli.app import app
from billing_service.settings.table import settings_table
from billing_service.stripe_events.registry import BY_TYPE
from webhook_gateway.settings import GatewaySettings

ROOT = Path(__file__).resolve().parents[2]
LISTED = subprocess.run(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout
DOCUMENTS = sorted(ROOT / name for name in LISTED.split("\0") if name and (ROOT / name).exists())
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
CODE = re.compile(r"^```sh\n(.*?)^```|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[\s/;=])billing ([a-z]+)(?: ([a-z]+))?", re.MULTILINE)


def test_the_settings_table_is_the_settings():
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    table = text.partition("<!-- settings -->\n")[2].partition("<!-- /settings -->")[0]
    assert table == settings_table()


def test_the_table_of_the_gateway_has_each_of_its_settings():
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").partition("## The gateway")[2]
    named = re.findall(
        r"`([A-Z_]+)`", "".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    )
    assert sorted(named) == sorted(name.upper() for name in GatewaySettings.model_fields)


def test_the_table_of_events_has_each_that_is_handled():
    """`.word` repeats what the name before it has but its last word."""
    text = (
        (ROOT / "docs" / "payments.md").read_text(encoding="utf-8").partition("## Events")[2].partition("\n\nOther")[0]
    )
    named, before = [], ""
    for name in re.findall(r"`([a-z_.]+)`", text):
        before = before.rpartition(".")[0] + name if name.startswith(".") else name
        named.append(before)
    assert sorted(named) == sorted(BY_TYPE)


def test_each_file_that_the_service_s_readme_names_exists():
    """By its path in the service, with or without `.py`; a folder ends in `/`."""
    service = ROOT / "billing_service"
    named = set(
        re.findall(
            r"`([a-z_]+(?:/[a-z_]+)*(?:/|\.py)|[a-z_]+(?:/[a-z_]+)+)`",
            (service / "README.md").read_text(encoding="utf-8"),
        )
    )
    assert {"domain/", "bootstrap.py", "api/pipeline", "ledger/writer"} <= named
    packages = {f"{path.name}/" for path in service.iterdir() if (path / "__init__.py").exists()} - {"catalogs/"}
    assert sorted(packages - named) == []
    assert [
        name for name in sorted(named) if not (service / name).exists() and not (service / f"{name}.py").exists()
    ] == []


def anchors(document):
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    missing = []
    for target, anchor in LINK.findall(document.read_text(encoding="utf-8")):
        path = document.parent / target if target else document
        if "://" not in target and (not path.exists() or (anchor and anchor not in anchors(path))):
            missing.append((target, anchor))
    assert missing == []


def test_each_document_is_reached_from_the_readme():
    """By links, however many."""
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document not in reached:
            reached.add(document)
            targets = [
                (document.parent / target).resolve()
                for target, _ in LINK.findall(document.read_text(encoding="utf-8"))
                if target
            ]
            waiting += [target for target in targets if target.suffix == ".md" and target.exists()]
    assert [str(path.relative_to(ROOT)) for path in DOCUMENTS if path not in reached] == []


def shown_commands(text):
    code = "\n".join(block or inline for block, inline in CODE.findall(text))
    return set(COMMAND.findall(code))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_that_are_shown_exist(document):
    offered = typer.main.get_command(app).commands
    missing = []
    for first, second in shown_commands(document.read_text(encoding="utf-8")):
        command = offered.get(first)
        if command is None or (hasattr(command, "commands") and second and second not in command.commands):
            missing.append(f"billing {first} {second}")
    assert missing == []


def test_what_counts_as_a_command_that_is_shown():
    shell = "```sh\nA=b .run/bin/billing balance alice   # billing service\n```"
    text = f"the `billing keys list` of\n{shell}\nand no billing serve"
    assert shown_commands(text) == {("keys", "list"), ("balance", "alice"), ("service", "")}


def test_the_readme_and_what_it_leads_to_show_commands():
    shown = {first for document in DOCUMENTS for first, _ in shown_commands(document.read_text(encoding="utf-8"))}
    assert {"serve", "migrate", "keys", "purchases", "balance", "backup", "restore", "verify"} <= shown
