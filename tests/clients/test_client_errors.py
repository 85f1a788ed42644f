"""Every reason and every status has its class."""

import pickle

import grpc
import pytest
from billing_client import BillingClient, errors
from billing_client.error_details import CLASS_BY_REASON, CLASS_BY_STATUS
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from prepaid.billing.v1.reasons_pb2 import Reason

from tests.support.fake_service import Answer

REASONS = [name.removeprefix("REASON_") for name, number in Reason.items() if number]


pytestmark = pytest.mark.usefixtures("quick_retries")


def deduct(service):
    with BillingClient(service.address) as client, pytest.raises(errors.BillingError) as raised:
        client.deduct_credits(account_id="a", amount_microcredits=1, idempotency_key="k")
    return raised.value


def test_every_reason_has_one_class_and_every_class_one_reason():
    assert set(CLASS_BY_REASON) == set(REASONS)
    assert len(set(CLASS_BY_REASON.values())) == len(REASONS)
    leaves = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.BillingError) and not kind.__subclasses__()
    }
    assert leaves | {errors.StripeUnavailable} == {*CLASS_BY_REASON.values(), errors.ServiceUnreachable}, (
        "it has a kind of its own"
    )


def test_every_status_has_a_class():
    assert set(CLASS_BY_STATUS) == set(grpc.StatusCode)


def test_the_drawn_tree_is_the_tree():
    drawn = errors.__doc__.split("OutcomeUnknown` itself")[0]
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.BillingError):
            assert name in drawn


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_is_raised_as_its_class(service, reason):
    service.script = [Answer(grpc.StatusCode.FAILED_PRECONDITION, reason, {"any": "value"})]
    error = deduct(service)
    assert type(error) is CLASS_BY_REASON[reason]
    assert (error.reason, error.metadata, error.idempotency_key, error.rpc) == (
        reason,
        {"any": "value"},
        "k",
        "DeductCredits",
    )
    assert isinstance(error.__cause__, grpc.RpcError)


@pytest.mark.parametrize("status", [status for status in grpc.StatusCode if status is not grpc.StatusCode.OK])
def test_a_reason_of_a_newer_service_is_what_its_status_means(service, status):
    service.script = [Answer(status, "FROM_THE_FUTURE", {"any": "value"})] * 4
    error = deduct(service)
    assert (type(error), error.status, error.reason, error.metadata) == (
        CLASS_BY_STATUS[status],
        status,
        "FROM_THE_FUTURE",
        {"any": "value"},
    )


def test_insufficient_credits_says_how_many_are_missing(service):
    amounts = {"available_microcredits": "3", "required_microcredits": "10", "shortfall_microcredits": "7"}
    service.script = [Answer(grpc.StatusCode.FAILED_PRECONDITION, "INSUFFICIENT_CREDITS", amounts, message="short")]
    error = deduct(service)
    assert (error.available_microcredits, error.required_microcredits, error.shortfall_microcredits) == (3, 10, 7)
    assert str(error) == "DeductCredits: INSUFFICIENT_CREDITS: short"


@pytest.mark.parametrize(
    ("reason", "metadata", "attribute", "expected"),
    [
        ("CREDITS_ALREADY_SPENT", {"refundable_minor": "250"}, "refundable_minor", 250),
        ("DEDUCTION_ALREADY_REVERSED", {"reversible_microcredits": "9"}, "reversible_microcredits", 9),
        ("BALANCE_LIMIT_REACHED", {"balance_max_microcredits": "99"}, "balance_max_microcredits", 99),
        ("STRIPE_REFUSED", {"stripe_code": "charge_disputed"}, "stripe_code", "charge_disputed"),
        ("SCOPE_MISSING", {"scope": "SCOPE_DEDUCT"}, "scope", "SCOPE_DEDUCT"),
        ("INTERNAL", {"correlation_id": "c-1"}, "correlation_id", "c-1"),
    ],
)
def test_metadata_that_the_contract_names_is_typed(service, reason, metadata, attribute, expected):
    service.script = [Answer(grpc.StatusCode.FAILED_PRECONDITION, reason, metadata)]
    assert getattr(deduct(service), attribute) == expected


def test_field_violations_and_retry_hints_come_along(service):
    violation = BadRequest(field_violations=[BadRequest.FieldViolation(field="account_id", description="is required")])
    hint = RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000))
    service.script = [Answer(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", more=(violation, hint))]
    error = deduct(service)
    assert isinstance(error, errors.InvalidField)
    assert (error.violations, error.retry_after_s) == ((("account_id", "is required"),), 1.5)


def test_an_error_crosses_a_process_boundary():
    error = errors.InsufficientCredits(
        "short", status=grpc.StatusCode.FAILED_PRECONDITION, reason="R", idempotency_key="k"
    )
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.idempotency_key) == (type(error), str(error), "k")


def test_failures_and_refusals_do_not_overlap():
    for kind in CLASS_BY_REASON.values():
        assert issubclass(kind, errors.Refusal) != issubclass(kind, errors.Failure)
