"""The two distributions of this repository: the client, and the service that depends on it. They share no file."""

import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from email.parser import Parser

import billing_client
import pytest
from hatchling.builders.wheel import WheelBuilder

from supply_chain.locked import PROJECTS, ROOT, required_name

CLIENT, SERVICE = "prepaid-billing-client", "prepaid-billing"
PACKAGES = {
    CLIENT: {"billing_client": "clients/python/billing_client", "prepaid": "protos/prepaid"},
    SERVICE: {"billing_service": "billing_service", "webhook_gateway": "webhook_gateway"},
}
"""Of each distribution, its packages and where the repository keeps them."""
DEPENDENCIES = sysconfig.get_path("purelib")
OF_THE_SERVICE_ALONE = (
    *PACKAGES[SERVICE],
    "sqlalchemy",
    "aiosqlite",
    "asyncpg",
    "aiohttp",
    "stripe",
    "pydantic",
    "structlog",
    "orjson",
    "grpc_status",
)
CALLS_ALONE = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OF_THE_SERVICE_ALONE!r}:
            raise ModuleNotFoundError(f"blocked: {{name}}", name=name)

sys.meta_path.insert(0, Blocked())
import billing_client.errors, billing_client.stripe_signature
from prepaid.billing.v1 import billing_pb2_grpc
with billing_client.BillingClient() as client:
    assert client.is_serving(timeout_s=0.01) in {{True, False}}
print(billing_client.__file__, billing_pb2_grpc.__file__)
"""
SERVES = """
import billing_client, billing_service.testing, webhook_gateway
with billing_service.testing.running_billing_service() as service, service.client() as client:
    client.create_account(account_id="alice")
print(billing_client.__file__, billing_service.testing.__file__, webhook_gateway.__file__)
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    target = tmp_path_factory.mktemp("wheels")
    built = [
        next(iter(WheelBuilder(str(project)).build(directory=str(target), versions=["standard"])))
        for project in PROJECTS
    ]
    return dict(zip((CLIENT, SERVICE), built, strict=True))


def names(wheel):
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def metadata(wheel):
    archive = zipfile.ZipFile(wheel)
    return Parser().parsestr(
        archive.read(next(name for name in archive.namelist() if name.endswith("METADATA"))).decode()
    )


def tracked(folder):
    listed = subprocess.run(
        ["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_is_of_both(wheels):
    assert names(wheels[CLIENT]) & names(wheels[SERVICE]) == set()


@pytest.mark.parametrize("distribution", PACKAGES)
def test_a_wheel_has_each_file_of_its_packages_and_no_other(wheels, distribution):
    expected = {
        package + name.removeprefix(folder)
        for package, folder in PACKAGES[distribution].items()
        for name in tracked(folder)
        if not name.endswith("README.md")
    }
    assert expected
    assert {name for name in names(wheels[distribution]) if not name.endswith("README.md")} == expected


def test_the_client_needs_three_packages_and_the_service_this_client(wheels):
    client, service = metadata(wheels[CLIENT]), metadata(wheels[SERVICE])
    assert client["Version"] == billing_client.__version__
    assert sorted(required_name(line) for line in client.get_all("Requires-Dist")) == [
        "googleapis-common-protos",
        "grpcio",
        "protobuf",
    ]
    assert f"{CLIENT}=={client['Version']}" in service.get_all("Requires-Dist")


def test_only_the_service_brings_fixtures_of_pytest():
    points = {
        project: tomllib.loads((project / "pyproject.toml").read_text())["project"].get("entry-points", {})
        for project in PROJECTS
    }
    assert ["pytest11" in points[project] for project in PROJECTS] == [False, True]


@pytest.fixture
def environment(tmp_path):
    """A new environment, and pip for it, which gets nothing from anywhere else. What is installed here may be lent to
    its Python."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"

    def pip(*arguments):
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, *arguments]
        subprocess.run(command, env=os.environ | {"PIP_NO_INDEX": "1"}, check=True, capture_output=True)

    def run(code):
        """The files that the code names, inside the environment."""
        run = subprocess.run(
            [python, "-c", code],
            env=os.environ | {"PYTHONPATH": DEPENDENCIES},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        files = run.stdout.splitlines()[-1].split()  # what the service logs comes before
        assert all(file.startswith(str(folder)) for file in files), files
        return files

    return pip, run


def test_the_client_alone_calls(wheels, environment):
    pip, run = environment
    pip("install", "--no-deps", wheels[CLIENT])
    assert len(run(CALLS_ALONE)) == 2


def test_together_they_serve_and_either_survives_the_other(wheels, environment):
    pip, run = environment
    pip("install", "--no-deps", *wheels.values())
    assert len(run(SERVES)) == 3
    pip("uninstall", "--yes", CLIENT)
    pip("install", "--no-deps", wheels[CLIENT])
    assert len(run(SERVES)) == 3
    pip("uninstall", "--yes", SERVICE)
    assert len(run(CALLS_ALONE)) == 2
