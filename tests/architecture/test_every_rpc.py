"""A new RPC is nowhere forgotten: each place that must know every RPC is walked, and what is missing is named."""

import ast
import re
from pathlib import Path

import pytest
from billing_client import AsyncBillingClient, BillingClient
from google.protobuf.descriptor_pool import Default
from prepaid.billing.v1 import scopes_pb2

from tests.end_to_end.refused_requests import OTHER, bad_fields
from tests.end_to_end.requests_refused_by_state import REFUSED
from tests.end_to_end.valid_requests import VALID
from tests.security import every_rpc
from tests.support import fake_service, wire
from tests.support.repeatable_requests import REQUESTS
from tests.support.wire import snake_case

ROOT = Path(__file__).parents[2]
DECLARED = re.compile(r"^service (\w+) \{", re.MULTILINE)
SERVICES = [
    Default().FindServiceByName(f"prepaid.billing.v1.{name}")
    for path in sorted((ROOT / "protos/prepaid/billing/v1").glob("*.proto"))
    for name in DECLARED.findall(path.read_text(encoding="utf-8"))
]
RPCS = {method.name: method for service in SERVICES for method in service.methods}
KEYED = {name for name, method in RPCS.items() if "idempotency_key" in method.input_type.fields_by_name}
WRITES = KEYED | {"BatchDeductCredits", "ProcessStripeEvent"}
"""A deduction on a stream is done by the same unit as one in a batch."""
NOTHING_TO_REFUSE = {"ListPackages", "ListApiKeys", "StreamDeductions", "MeterSession"}
"""The first two have no field; a stream answers each deduction as `end_to_end/test_streams_of_deductions.py` says,
and a session as `end_to_end/test_sessions_refused.py`."""
DELIVERED = {"deliver", "delivering"}
"""What the operations of the faults call ProcessStripeEvent by."""


def struck_by_faults():
    """Names of the RPCs that some operation of the faults calls, and not only prepares by."""
    methods = {snake_case(name): name for name in RPCS}
    for path in (ROOT / "tests/faults").glob("fault_*.py"):
        for function in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(function, ast.AsyncFunctionDef) and any(
                "operation(" in ast.unparse(each) for each in function.decorator_list
            ):
                answered = [part for part in function.body if isinstance(part, ast.Return | ast.AsyncFunctionDef)]
                for call in (node for part in answered for node in ast.walk(part) if isinstance(node, ast.Call)):
                    names = {ast.unparse(call.func).rpartition(".")[2]} | {
                        each.value for each in call.args if isinstance(each, ast.Constant)
                    }
                    yield from (methods[name] for name in names & methods.keys())
                    if names & DELIVERED:
                        yield "ProcessStripeEvent"


PLACES = {
    "protos/prepaid/billing/v1: a required scope": (
        RPCS,
        {name for name, method in RPCS.items() if method.GetOptions().Extensions[scopes_pb2.required_scope]},
    ),
    "tests/end_to_end/valid_requests.py: VALID": (RPCS, VALID),
    "tests/end_to_end: REFUSED of requests_refused_by_state.py or OTHER of refused_requests.py": (
        RPCS.keys() - NOTHING_TO_REFUSE,
        {rpc for rpc, *_ in [*bad_fields(), *OTHER, *REFUSED]},
    ),
    "tests/support/repeatable_requests.py: REQUESTS": (KEYED, {rpc for rpc, *_ in REQUESTS}),
    "tests/faults/fault_operations.py": (WRITES, set(struck_by_faults())),
    "tests/security/every_rpc.py: SERVICES": (RPCS, every_rpc.METHODS),
    "tests/support/wire.py: SERVICES": (RPCS, wire.METHODS),
    "tests/support/fake_service.py: METHODS": (RPCS, {method.name for method in fake_service.METHODS.values()}),
    **{
        f"clients/python/billing_client/{folder}": (RPCS, {name for name in RPCS if hasattr(client, snake_case(name))})
        for folder, client in (("blocking", BillingClient), ("asynchronous", AsyncBillingClient))
    },
}
"""Place: (RPCs that it must know, those that it knows)."""


@pytest.mark.parametrize("place", PLACES)
def test_every_rpc_is_known_in(place):
    needed, known = PLACES[place]
    assert set(needed) - set(known) == set(), f"missing in {place}"
    assert (ROOT / place.partition(":")[0]).exists()


def test_the_checklist_of_a_new_rpc_names_every_place():
    steps = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Add an RPC")[2].partition("\n## ")[0]
    assert [place for place in PLACES if place.partition(":")[0] not in steps] == []
