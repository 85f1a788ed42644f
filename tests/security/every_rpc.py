"""Every RPC with a request that is valid, and what a refusal says."""

import itertools
from dataclasses import dataclass

import grpc
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from prepaid.billing.v1 import admin_pb2, billing_pb2, scopes_pb2, stripe_events_pb2, transactions_pb2, usage_pb2

from tests.support.rate_card_examples import card_file

SERVICES = (
    billing_pb2.DESCRIPTOR.services_by_name["BillingService"],
    admin_pb2.DESCRIPTOR.services_by_name["AdminService"],
    stripe_events_pb2.DESCRIPTOR.services_by_name["StripeEventService"],
)
METHODS = {method.name: method for service in SERVICES for method in service.methods}
CODES = {code.value[0]: code for code in grpc.StatusCode}
DETAILS = "grpc-status-details-bin"
CREDIT = 1_000_000
WORDS = {
    "account_id": "acct",
    "email": "buyer@example.com",
    "package_code": "starter",
    "reason": "because",
    "usage": usage_pb2.Usage(provider="openai", model="gpt-5", lines=[usage_pb2.UsageLine(kind=1, quantity=1)]),
    "caller": "metering",
    "payload": b'{"id": "evt_1", "object": "event"}',
    "stripe_signature": "t=1,v1=00",
    "referral_code": "ABCDEFGH",
    "currency": "",
    "page_token": "",
    "success_url": "https://shop.example/ok",
    "cancel_url": "https://shop.example/no",
}
NUMBERED = {
    "idempotency_key": lambda number: f"key-{number}",
    "card_file": lambda number: card_file(f"version-{number}"),
}
"""Fields of which no two requests have the same."""
_numbers = itertools.count(1)


def request_class(name):
    return GetMessageClass(METHODS[name].input_type)


def required_scope(name):
    number = METHODS[name].GetOptions().Extensions[scopes_pb2.required_scope]
    return scopes_pb2.Scope.Name(number).removeprefix("SCOPE_").lower()


def valid_request(name, **fields):  # noqa: C901, PLR0912 - a table would hide more than it shows
    """A request in which every field that must be there is there; ids of things that are not name nothing that
    exists."""
    request = request_class(name)()
    for field in request.DESCRIPTOR.fields:
        if field.name in NUMBERED:
            setattr(request, field.name, NUMBERED[field.name](next(_numbers)))
        elif field.name.startswith("amount_microcredits") or field.name == "overdraft_limit_microcredits":
            setattr(request, field.name, CREDIT)
        elif field.name in WORDS:
            request.MergeFrom(type(request)(**{field.name: WORDS[field.name]}))
        elif field.name.endswith("_id") and field.name != "checkout_session_id":
            setattr(request, field.name, f"{field.name.removesuffix('_id')}_nowhere")
    match name:
        case "GrantCredits":
            request.category = "CREDIT_CATEGORY_PROMOTIONAL"
        case "CreateApiKey":
            request.scopes.append("SCOPE_READ")
        case "ReverseDeduction":
            request.ClearField("amount_microcredits")
        case "DeductCredits" | "HoldCredits" | "CaptureHold":
            request.amount_microcredits = CREDIT
        case "ExtendHold":
            request.additional_microcredits = CREDIT
        case "SetSpendLimit":
            request.window = "SPEND_WINDOW_DAY"
        case "CreateAccount":
            request.ClearField("referral_code")
            request.ClearField("stripe_customer_id")
        case "BatchDeductCredits":
            request.deductions.append(valid_request("DeductCredits"))
        case "StreamDeductions":
            request.deduction.CopyFrom(valid_request("DeductCredits"))
        case "MeterSession":
            deduction = valid_request("DeductCredits")
            request.open.account_id, request.open.idempotency_key = deduction.account_id, deduction.idempotency_key
            request.open.slice_microcredits = CREDIT
    for field, value in fields.items():
        setattr(request, field, value)
    return request


@dataclass(frozen=True)
class Seen:
    """How a call ended, as its caller sees it."""

    code: grpc.StatusCode
    reason: str = ""
    text: str = ""
    everything: str = ""
    """Code, text, all metadata and the details as they stand."""
    answer: object = None


async def call(channel, name, request, *, key="", timeout_s=10.0, metadata=()):
    """One call without retries; never raises for its status. A stream is a call with one request on it.

    What became of the one deduction of a batch or a stream is seen as if it had come by itself.
    """
    method = METHODS[name]
    only_answers = method.server_streaming and not method.client_streaming
    rpc = (channel.unary_stream if only_answers else channel.unary_unary)(
        f"/{method.containing_service.full_name}/{name}",
        request_serializer=lambda message: message if isinstance(message, bytes) else message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    sent = [("authorization", f"Bearer {key}")] if key else []
    calling = rpc(request, timeout=timeout_s, metadata=(*sent, *metadata))
    try:
        answer = await (anext(aiter(calling)) if only_answers else calling)
    except grpc.aio.AioRpcError as error:
        return _seen(error)
    if only_answers:  # which come for as long as somebody reads them
        calling.cancel()
        return Seen(grpc.StatusCode.OK, answer=answer)
    outcome = outcome_of(answer)
    if outcome is not None and outcome.HasField("refused"):
        refused = outcome.refused
        return Seen(
            CODES[refused.code],
            reason_of(refused),
            refused.message,
            f"{refused} {await calling.trailing_metadata()}",
            answer,
        )
    return Seen(
        grpc.StatusCode.OK,
        everything=f"{await calling.trailing_metadata()}",
        answer=outcome.deducted if outcome else answer,
    )


def outcome_of(answer):
    """What became of the one deduction of a batch or of a stream; None for other answers."""
    match answer:
        case transactions_pb2.BatchDeductCreditsResponse():
            (outcome,) = answer.outcomes
            return outcome
        case transactions_pb2.StreamDeductionsResponse():
            assert answer.sequence == 1
            return answer.outcome
    return None


def reason_of(status):
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return ""


def _seen(error):
    details = status_pb2.Status()
    for name, value in error.trailing_metadata() or ():
        if name == DETAILS:
            details.ParseFromString(value)
    everything = f"{error.code()} {error.details()} {error.initial_metadata()} {error.trailing_metadata()} {details}"
    return Seen(error.code(), reason_of(details), error.details() or "", everything)
