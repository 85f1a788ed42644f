"""What can't be meant is refused by the name of its field, in every message that the clients make."""

import ast
from pathlib import Path

import billing_client
import pytest
from billing_client import BillingClient
from billing_client.messages import message
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from prepaid.billing.v1.sessions_pb2 import OpenSession
from prepaid.billing.v1.transactions_pb2 import DeductCreditsRequest, ListTransactionsRequest

from tests.support.wire import METHODS

WHOLE = (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_INT32)
REQUESTS = [OpenSession, *(GetMessageClass(METHODS[name].input_type) for name in sorted(METHODS))]
NUMBERS = [
    (kind, field.name)
    for kind in REQUESTS
    for field in kind.DESCRIPTOR.fields
    if field.type in WHOLE and not field.is_repeated
]


@pytest.mark.parametrize(("kind", "name"), NUMBERS, ids=lambda each: each if isinstance(each, str) else each.__name__)
@pytest.mark.parametrize("value", [1.5, 2.0, "3"])
def test_a_number_that_is_not_whole_is_refused_by_the_name_of_its_field(kind, name, value):
    with pytest.raises(TypeError) as refused:
        message(kind, **{name: value})
    assert str(refused.value) == f"{name}: must be a whole number, not {value!r}"


WRONG = [
    ({"account_id": "a", "amount_microcredits": 2**70}, ValueError, "amount_microcredits: "),
    ({"account_id": 5}, TypeError, "account_id: "),
    ({"account_id": "a", "mode": 1.5}, TypeError, "mode: "),
    ({"account_id": "a", "metadata": {"n": 1}}, TypeError, "metadata: "),
    ({"nothing": 1}, ValueError, "nothing: "),
]


@pytest.mark.parametrize(("fields", "error", "words"), WRONG)
def test_any_other_value_too(fields, error, words):
    with pytest.raises(error, match=f"^{words}"):
        message(DeductCreditsRequest, **fields)


def test_what_can_be_meant_is_made():
    assert message(DeductCreditsRequest, account_id="a", amount_microcredits=7).amount_microcredits == 7
    assert message(ListTransactionsRequest, kind=3).kind == 3


def test_a_caller_of_the_client_is_told():
    with BillingClient("127.0.0.1:1") as client, pytest.raises(TypeError, match=r"^amount_microcredits: .*not 1\.5$"):
        client.deduct_credits(account_id="a", amount_microcredits=1.5)


def test_every_request_of_the_clients_is_made_there():
    package = Path(billing_client.__file__).parent
    direct = [
        f"{path.name}:{node.lineno}"
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("Request")
        if node.func.id not in OF_MESSAGES and node.keywords
    ]
    assert direct == []


OF_MESSAGES = {"MeterSessionRequest", "StreamDeductionsRequest", "BatchDeductCreditsRequest", "BadRequest"}
"""Made of other messages alone."""
