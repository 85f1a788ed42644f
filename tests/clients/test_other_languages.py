"""What the protos are to other languages: packages of their own, and a service that is called by nothing else."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import google.rpc
import pytest
from prepaid.billing.v1 import admin_pb2, billing_pb2, reasons_pb2, stripe_events_pb2

from billing_service.bootstrap import open_service
from billing_service.clock import system_clock_us
from billing_service.commands.access.api_keys import create_key_directly
from billing_service.domain.access.api_keys import Scope
from billing_service.settings import load_settings
from tests.support.stack import PEPPER, environment

ROOT = Path(__file__).parents[2]
PROTOS = ROOT / "protos"
GOOGLE_PROTOS = Path(google.rpc.__path__[0]).parents[1]
NODE_MODULES = ROOT / "build/grpc-js/node_modules"


def test_every_file_names_its_packages():
    files = {
        dependency.name: dependency
        for module in (billing_pb2, admin_pb2, stripe_events_pb2)
        for dependency in module.DESCRIPTOR.dependencies
    }
    files |= {
        module.DESCRIPTOR.name: module.DESCRIPTOR for module in (billing_pb2, admin_pb2, stripe_events_pb2, reasons_pb2)
    }
    own = {name: file.GetOptions() for name, file in files.items() if name.startswith("prepaid/")}
    assert {Path(name).name for name in own} == {path.name for path in (PROTOS / "prepaid/billing/v1").glob("*.proto")}
    named = {
        (each.go_package, each.java_package, each.java_multiple_files, each.csharp_namespace) for each in own.values()
    }
    assert named == {("prepaid.example/billing/v1;billingv1", "prepaid.billing.v1", True, "Prepaid.Billing.V1")}


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_a_program_that_has_the_protos_alone_is_served(database):
    node = shutil.which("node")
    if node is None or not NODE_MODULES.is_dir():
        pytest.skip("gRPC for Node is absent (`make test-tools` brings it where there is npm)")
    settings = load_settings(environment(database.url, "http://127.0.0.1:9", BILLING_AUTH="keys"))
    async with open_service(settings) as service:
        key = await create_key_directly(
            service.environment.store, system_clock_us, PEPPER.encode(), "node", [Scope.ADMIN]
        )
        said = await asyncio.to_thread(calls, node, service.address, key)
    stranger, unknown, granted, short, spent, repeated = said
    assert (stranger["code"], stranger["info"]["reason"]) == ("UNAUTHENTICATED", "API_KEY_INVALID")
    assert (unknown["code"], unknown["info"]["reason"], unknown["info"]["domain"]) == (
        "NOT_FOUND",
        "ACCOUNT_NOT_FOUND",
        "prepaid.billing.v1",
    )
    assert granted["answer"]["balance"]["available_microcredits"] == "5000000"
    assert short["info"]["metadata"]["required_microcredits"] == "1000000000000000"
    assert (spent["answer"]["deducted_microcredits"], spent["answer"]["replayed"]) == ("2000000", False)
    assert re.fullmatch(r"txn_\w+", spent["answer"]["transaction_id"])
    assert repeated["answer"] == spent["answer"] | {"replayed": True}


def calls(node, address, key):
    """What became of each call, in the order of calls.js."""
    command = [node, ROOT / "tests/clients/grpc_js/calls.js", address, key, PROTOS, GOOGLE_PROTOS]
    env = os.environ | {"NODE_PATH": str(NODE_MODULES)}
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]
