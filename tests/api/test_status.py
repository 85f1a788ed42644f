"""One table decides which status each reason gets; it agrees with the protos and with what callers decode."""

import re
from pathlib import Path

import grpc
import pytest
from google.rpc import status_pb2
from grpc.aio import AioRpcError, Metadata
from prepaid.billing.v1 import reasons_pb2

from billing_service.api.status import DETAILS_KEY, RETRY_DELAYS_MS, STATUS_CODES, internal_status, status_of
from billing_service.domain.refusals import Failure, Reason, Refusal, Refused, invalid_field
from tests.api.edge_server import told

PROTO = Path(__file__).parents[2] / "protos/prepaid/billing/v1/reasons.proto"
ROW = re.compile(r"// \[(?P<code>[A-Z_]+)(?P<extras>[^\]]*)\].*(?:\n\s+//.*)*\n\s+REASON_(?P<reason>[A-Z_]+) = \d+;")

CONTRACT = {
    "INVALID_ARGUMENT": "INVALID_FIELD IDEMPOTENCY_KEY_REUSED UNKNOWN_PACKAGE UNKNOWN_MODEL PRICE_MISSING "
    "SIGNATURE_INVALID",
    "NOT_FOUND": "ACCOUNT_NOT_FOUND PURCHASE_NOT_FOUND HOLD_NOT_FOUND REFERRAL_CODE_NOT_FOUND",
    "ALREADY_EXISTS": "ACCOUNT_EXISTS REFERRAL_EXISTS",
    "FAILED_PRECONDITION": "INSUFFICIENT_CREDITS ACCOUNT_FROZEN PURCHASE_NOT_REFUNDABLE CREDITS_ALREADY_SPENT "
    "SELF_REFERRAL REFERRAL_TOO_LATE"
    " HOLD_EXPIRED HOLD_CLOSED SPEND_LIMIT_REACHED",
    "UNAUTHENTICATED": "API_KEY_INVALID",
    "PERMISSION_DENIED": "SCOPE_MISSING",
    "RESOURCE_EXHAUSTED": "OVERLOADED",
    "UNAVAILABLE": "STORAGE_UNAVAILABLE STRIPE_UNAVAILABLE CONFLICT",
    "INTERNAL": "INTERNAL",
}
"""The published table of errors."""


def as_seen(status) -> object:
    return told(AioRpcError(status.code, Metadata(), Metadata(*status.trailing_metadata), details=status.message))


def test_domain_protos_and_table_name_the_same_reasons():
    # Not a dict.
    in_proto = {name.removeprefix("REASON_") for name in reasons_pb2.Reason.keys()} - {"UNSPECIFIED"}  # noqa: SIM118
    assert in_proto == {reason.value for reason in Reason} == {reason.value for reason in STATUS_CODES}


def test_the_table_is_the_one_in_the_comments_of_the_protos():
    rows = {row["reason"]: row for row in ROW.finditer(PROTO.read_text())}
    assert {Reason(name): row["code"] for name, row in rows.items()} == {
        reason: code.name for reason, code in STATUS_CODES.items()
    }
    assert {Reason(name) for name, row in rows.items() if "RetryInfo" in row["extras"]} == RETRY_DELAYS_MS.keys()


@pytest.mark.parametrize(
    ("code", "reason"), [(code, reason) for code, reasons in CONTRACT.items() for reason in reasons.split()]
)
def test_the_published_table(code, reason):
    assert STATUS_CODES[Reason(reason)].name == code


@pytest.mark.parametrize("reason", Reason)
def test_details_say_reason_metadata_and_when_to_retry(reason):
    seen = as_seen(status_of(Refused(reason, "words", metadata={"n": 5, "s": "x"})))
    assert (seen.code, seen.text, seen.reason, seen.metadata) == (
        STATUS_CODES[reason],
        "words",
        reason.value,
        {"n": "5", "s": "x"},
    )
    assert seen.retry_ms == RETRY_DELAYS_MS.get(reason)
    bare = as_seen(status_of(Failure(reason, "words")))
    assert (bare.code, bare.reason, bare.metadata, bare.retry_ms) == (seen.code, seen.reason, {}, seen.retry_ms)


def test_only_what_is_worth_repeating_says_when():
    retried = {
        reason
        for reason, code in STATUS_CODES.items()
        if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
    }
    # An account with too many holds or limits has as many after a wait, until its callers end some.
    assert retried - {Reason.TOO_MANY_HOLDS, Reason.TOO_MANY_SPEND_LIMITS} == RETRY_DELAYS_MS.keys()


def test_field_violations():
    seen = as_seen(status_of(invalid_field("account_id", "is required")))
    assert seen.violations == [("account_id", "is required")]
    assert seen.metadata == {"field": "account_id"}


def test_a_status_stays_small_enough_for_trailers():
    words = "\N{GRINNING FACE}" * 10_000
    status = status_of(
        Refusal(
            Reason.INVALID_FIELD,
            words,
            metadata={f"n{n}": "x" * 200 for n in range(16)},
            violations=tuple((f"field{n}", "y") for n in range(99)),
        )
    )
    ((key, raw),) = status.trailing_metadata
    assert key == DETAILS_KEY
    assert len(raw) < 8192
    assert status.message == "\N{GRINNING FACE}" * 256
    assert status_pb2.Status.FromString(raw).message == status.message


def test_a_defect_tells_its_id_and_nothing_else():
    seen = as_seen(internal_status("abc123"))
    assert (seen.code, seen.reason, seen.metadata) == (
        grpc.StatusCode.INTERNAL,
        "INTERNAL",
        {"correlation_id": "abc123"},
    )
