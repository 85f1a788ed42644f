"""The list of what a build is made of: a CycloneDX document that its schema accepts, with every package that is installed."""

import json
import subprocess

import pytest

from supply_chain.locked import ROOT, canonical, read_lock

PYTHON = ROOT / "build" / "supply" / "bin" / "python"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    if not PYTHON.exists():
        pytest.skip("the list of parts is not tested: `make build/supply/.installed` brings what makes it")
    path = tmp_path_factory.mktemp("sbom") / "sbom.json"
    subprocess.run([PYTHON, "-m", "supply_chain", "sbom", path], cwd=ROOT, check=True)
    return path


def test_it_names_every_package_that_is_locked(written):
    listed = {canonical(part["name"]): part["version"] for part in json.loads(written.read_bytes())["components"]}
    for release in read_lock(ROOT / "constraints.txt").releases:
        assert listed[release.name] == release.version


def test_it_is_about_this_program_and_what_it_depends_on(written):
    document = json.loads(written.read_bytes())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    about = document["metadata"]["component"]
    assert (about["name"], about["type"]) == ("prepaid-billing", "application")
    (direct,) = [each["dependsOn"] for each in document["dependencies"] if each["ref"] == about["bom-ref"]]
    assert {canonical(ref.partition("==")[0]) for ref in direct} >= {"grpcio", "stripe", "sqlalchemy"}


def test_its_schema_accepts_it_and_refuses_another(written):
    code = (
        "import sys; from cyclonedx.schema import SchemaVersion; from cyclonedx.validation.json import JsonStrictValidator\n"
        "text = sys.stdin.read(); valid = JsonStrictValidator(SchemaVersion.V1_6).validate_str\n"
        "assert valid(text) is None, valid(text); assert valid(text.replace('\"CycloneDX\"', '\"Other\"')) is not None"
    )
    subprocess.run([PYTHON, "-c", code], input=written.read_text(), text=True, check=True)


def test_it_is_the_same_each_time(written, tmp_path):
    again = tmp_path / "again.json"
    subprocess.run([PYTHON, "-m", "supply_chain", "sbom", again], cwd=ROOT, check=True)
    assert again.read_bytes() == written.read_bytes()
