"""The list of what a build is made of: a CycloneDX document that its schema accepts, with every package that is
installed."""

import json
import subprocess

import pytest

from supply_chain.locked import DIRECTORY, LOCK, ROOT, canonical, read_lock

PYTHON = ROOT / "build" / "supply" / "bin" / "python"


def run_beside(*arguments):
    """In the environment of these tools; skips where there is none."""
    if not PYTHON.exists():
        pytest.skip("the list of parts is not tested: `make build/supply/.installed` brings what makes it")
    subprocess.run([PYTHON, *arguments], cwd=ROOT, check=True)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("sbom") / "sbom.json"
    run_beside("-m", "supply_chain", "sbom", path)
    return path


def test_it_names_every_package_that_is_locked(written):
    listed = {canonical(part["name"]): part["version"] for part in json.loads(written.read_bytes())["components"]}
    for release in read_lock(DIRECTORY / LOCK).releases:
        assert listed[release.name] == release.version


def test_it_is_about_this_program_and_what_it_depends_on(written):
    document = json.loads(written.read_bytes())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    about = document["metadata"]["component"]
    assert (about["name"], about["type"]) == ("prepaid-billing", "application")
    (direct,) = [each["dependsOn"] for each in document["dependencies"] if each["ref"] == about["bom-ref"]]
    assert {canonical(ref.partition("==")[0]) for ref in direct} >= {"grpcio", "stripe", "sqlalchemy"}


def test_what_the_schema_does_not_accept_is_refused():
    """As the list was accepted when it was written."""
    code = (
        "from cyclonedx.schema import SchemaVersion; from cyclonedx.validation.json import JsonStrictValidator\n"
        'assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(\'{"bomFormat": "Other", "specVersion": '
        '"1.6"}\') is not None'
    )
    run_beside("-c", code)


def test_it_is_the_same_each_time(written, tmp_path):
    again = tmp_path / "again.json"
    code = (
        "import sys; from pathlib import Path; from supply_chain.sbom import write_sbom; write_sbom(*map(Path, "
        "sys.argv[1:]), check=False)"
    )
    run_beside("-c", code, ROOT / ".venv" / "bin" / "python", again)
    assert again.read_bytes() == written.read_bytes()
