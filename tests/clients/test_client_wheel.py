"""The lean distribution: builds, and needs nothing of the service."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import billing_client
import pytest

ROOT = Path(__file__).parents[2]
BLOCKED = (
    "billing_service",
    "webhook_gateway",
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
PROBE = f"""
import sys
sys.path.insert(0, sys.argv[1])

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(f"blocked: {{name}}", name=name)

sys.meta_path.insert(0, Blocked())
import billing_client, billing_client.errors, billing_client.stripe_signature, billing_client.testing, billing_client_pytest
from prepaid.billing.v1 import billing_pb2_grpc
assert billing_client.__file__.startswith(sys.argv[1]), billing_client.__file__
assert billing_pb2_grpc.__file__.startswith(sys.argv[1]), billing_pb2_grpc.__file__
with billing_client.BillingClient() as client:
    assert client.is_serving(timeout_s=0.01) in {{True, False}}
try:
    with billing_client.testing.running_billing_service():
        raise SystemExit("ran without the service")
except billing_client.testing.ServiceNotInstalled as error:
    print(error)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    copy = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__", "dist")
    shutil.copytree(ROOT / "protos", copy / "protos", ignore=ignored)
    shutil.copytree(ROOT / "clients" / "python", copy / "clients" / "python", ignore=ignored)
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"],
        cwd=copy / "clients" / "python",
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (path,) = (copy / "clients" / "python" / "dist").glob("prepaid_billing_client-*.whl")
    return path


def test_the_wheel_packs_the_client_and_the_stubs_and_no_more(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"billing_client", "billing_client_pytest.py", "prepaid"}
    assert {
        "billing_client/py.typed",
        "billing_client/asynchronous/client.py",
        "prepaid/billing/v1/py.typed",
        "prepaid/billing/v1/billing_pb2_grpc.py",
    } <= set(names)
    metadata = zipfile.ZipFile(wheel).read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert f"Version: {billing_client.__version__}\n" in metadata
    required = [line.split()[1] for line in metadata.splitlines() if line.startswith("Requires-Dist")]
    assert [name.split(">")[0].split("<")[0] for name in required] == ["googleapis-common-protos", "grpcio", "protobuf"]


def test_the_wheel_works_beside_its_three_dependencies(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    run = subprocess.run([sys.executable, "-c", PROBE, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "prepaid-billing" in run.stdout
