"""Every field of every unary RPC in every form, over a real socket: a documented answer, the same one on both stores,
and a sound ledger."""

import asyncio
import base64
import random
import re
from pathlib import Path

import grpc
import pytest
import structlog
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from tests.end_to_end.field_mutations import TEXTS, Mutation, mutations
from tests.end_to_end.valid_requests import VALID
from tests.support.run_length import LONG
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import METHODS, WRITES, Wire, request_of, signature

PROTOS = Path(__file__).parents[2] / "protos" / "prepaid" / "billing" / "v1"
STATUS_OF_REASON = {
    reason: status
    for status, reason in re.findall(
        r"// \[([A-Z_]+).*\n(?:  // (?!\[).*\n)*  REASON_(\w+) = ",
        (PROTOS / "reasons.proto").read_text(encoding="utf-8"),
    )
}
REFUSALS = {"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION"}
CODE_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}
UNARY = sorted(name for name, method in METHODS.items() if not (method.client_streaming or method.server_streaming))
KEY, FREE = b"key-000000", b"free-00-000000"
"""Stand in the bytes for what each call has of its own, of the same length."""
EVENT = (
    b'{"id":"evt_mutated","object":"event","type":"something.new","livemode":false,"created":1,"data":{"object":{}}}'
)
MORE = {
    "metadata": {"n": "1"},
    "description": "d",
    "email": "a@example.com",
    "name": "N",
    "reason": "why",
    "success_url": "https://a.example/ok",
    "cancel_url": "https://a.example/no",
    "start_time": "2020-01-01T00:00:00Z",
    "end_time": "2090-01-01T00:00:00Z",
    "effective_time": "2030-01-01T00:00:00Z",
    "expire_time": "2090-01-01T00:00:00Z",
    "received_time": "2030-01-01T00:00:00Z",
    "page_size": 3,
    "amount_microcredits": 1,
}
NAMED_INSTEAD = {
    ("GrantCredits", "effective_time"): "expire_time",
    ("ListTransactions", "page_size"): "page_token",
    ("ReRate", "start_time"): "end_time",
}
"""Fields that are judged by one another: the second is named."""
MALFORMED = ("INVALID_ARGUMENT", "INVALID_FIELD", ("request",))
DAMAGED = 400 if LONG else 20
"""More calls of each RPC, with bytes spoilt at random."""
STEP = 1 if LONG else 3
"""In the ordinary run each RPC gets every third form of its fields, one RPC's third beginning where another's does
not."""

_answers = {}


async def told(wire, rpc, raw):
    """(status, reason, fields named) of one call; all that is promised of a refusal is checked, also of one inside an
    answer."""
    method = METHODS[rpc]
    call = wire.channel.unary_unary(
        f"/{method.containing_service.full_name}/{rpc}",
        request_serializer=bytes,
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    try:
        answer = await call(raw, timeout=30)
    except grpc.aio.AioRpcError as error:
        return refusal(status_of(error))
    return "OK", "", tuple(refusal(status) for status in statuses_in(answer))


def status_of(error):
    (details,) = [value for name, value in error.trailing_metadata() if name == "grpc-status-details-bin"]
    status = status_pb2.Status.FromString(details)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    return status


def statuses_in(message):
    for field, value in message.ListFields():
        if field.message_type and not field.message_type.GetOptions().map_entry:
            for each in value if field.is_repeated else [value]:
                yield from [each] if isinstance(each, status_pb2.Status) else statuses_in(each)


def refusal(status):
    info, fields = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert all(detail.Unpack(info) or detail.Unpack(fields) for detail in status.details)
    assert status.message
    assert info.domain == "prepaid.billing.v1"
    assert STATUS_OF_REASON[info.reason] == CODE_NAMES[status.code] in REFUSALS, (status.code, info)
    return CODE_NAMES[status.code], info.reason, tuple(violation.field for violation in fields.field_violations)


async def filled(stack, wire, rpc, payer):  # noqa: C901 - a case for each word of the table
    """A request of which every field is set, about an account of its own; what it needs is made."""
    granted = await wire.do("GrantCredits", account_id=payer, amount_microcredits=10_000 * CREDIT, reason="gift")
    fields = {name: value for name, value in MORE.items() if name in METHODS[rpc].input_type.fields_by_name} | VALID[
        rpc
    ]
    world = {"payer": payer, "free": FREE.decode(), "grant": granted.transaction_id}
    for word in {
        value.strip("{}") for value in fields.values() if isinstance(value, str) and value.startswith("{")
    } - world.keys():
        match word:
            case "paid" | "event":
                world["paid"] = (await stack.buy(payer)).purchase_id
                events = (await wire.call("ListStripeEvents")).events
                world["event"] = next(
                    event.event_id for event in events if event.event_type == "checkout.session.completed"
                )
            case "pending":
                world["pending"] = (
                    await wire.do("CreatePurchase", account_id=payer, package_code="starter")
                ).purchase.purchase_id
            case "session":
                made = await wire.do("CreatePurchase", account_id=payer, package_code="starter")
                world["session"] = made.purchase.checkout_session_id
            case "refund":
                bought = await stack.buy(payer)
                world["refund"] = (
                    await wire.do("Refund", purchase_id=bought.purchase_id, amount_minor=1)
                ).refund.refund_id
            case "deduction":
                world["deduction"] = (
                    await wire.do("DeductCredits", account_id=payer, amount_microcredits=CREDIT)
                ).transaction_id
            case "hold":
                world["hold"] = (await wire.do("HoldCredits", account_id=payer, amount_microcredits=1)).hold.hold_id
            case "code":
                await wire.do("GrantCredits", account_id=f"{rpc}-friend", amount_microcredits=CREDIT, reason="gift")
                world["code"] = (await wire.call("GetReferral", account_id=f"{rpc}-friend")).referral_code
    if rpc == "CreateApiKey":
        fields["caller"] = FREE.decode()  # nobody has more than two
    if rpc == "ProcessStripeEvent":
        fields |= {"payload": base64.b64encode(EVENT).decode(), "stripe_signature": signature(EVENT)}
    if rpc in WRITES:
        fields["idempotency_key"] = KEY.decode()
    request = request_of(
        rpc, {name: value.format(**world) if isinstance(value, str) else value for name, value in fields.items()}
    )
    for field, one in requests_inside(request):
        getattr(request, field).append(await filled(stack, wire, one, payer))
    return request


def requests_inside(request):
    """Empty fields that take requests of another RPC, several at once, and which RPC that is."""
    for field in request.DESCRIPTOR.fields:
        for one in UNARY:
            if METHODS[one].input_type is field.message_type and not getattr(request, field.name):
                yield field.name, one


def damaged(rpc, request):
    """The request's bytes, spoilt at random places in random ways."""
    pick, whole = random.Random(rpc), request.SerializeToString()
    for number in range(DAMAGED):
        raw = bytearray(whole)
        for _ in range(pick.choice((1, 1, 2, 4))):
            at = pick.randrange(len(raw) + 1)
            match pick.randrange(3):
                case 0:
                    raw[at : at + 1] = bytes([pick.randrange(256)])
                case 1:
                    raw[at:at] = bytes(pick.randrange(256) for _ in range(pick.choice((1, 2, 5))))
                case 2:
                    del raw[at : at + pick.choice((1, 2, 9))]
        yield Mutation("", f"damaged {number}", bytes(raw))


async def walk(wire, rpc, request):
    """What each form of each field of one RPC was answered, in order, and what of that is wrong."""
    number, answers, wrong = 0, [], []

    async def send(raw):
        nonlocal number
        number += 1
        return await told(
            wire,
            rpc,
            raw.replace(KEY, b"key-%06d" % number).replace(FREE, b"free-%02d-%06d" % (UNARY.index(rpc), number)),
        )

    for mutation in [*list(mutations(request))[UNARY.index(rpc) % STEP :: STEP], *damaged(rpc, request)]:
        usual = await send(request.SerializeToString()) if mutation.harmless else None
        answer = await send(mutation.raw)
        if mutation.harmless and answer != usual:
            usual = await send(request.SerializeToString())  # what can be done once was done by the first
        fits = mutation.harmless <= (answer == usual) and mutation.malformed <= (answer == MALFORMED)
        if answer[1] == "INVALID_FIELD" and mutation.field and not mutation.malformed:
            fits = fits and names(rpc, mutation.field, answer[2])
        if not fits:
            wrong.append((rpc, mutation.field, mutation.form, answer, usual))
        answers.append((mutation.field, mutation.form, *answer))
    return answers, wrong


def names(rpc, field, named):
    """Whether a refusal names the field that was touched, or the choice that it is one of."""
    descriptor = METHODS[rpc].input_type.fields_by_name[field]
    choice, inner = descriptor.containing_oneof, descriptor.message_type
    allowed = (field, NAMED_INSTEAD.get((rpc, field), field), *(("request", *inner.fields_by_name) if inner else ()))
    if choice is not None:
        allowed += (choice.name, *(other.name for other in choice.fields))
    return len(named) == 1 and named[0].startswith(allowed)


@pytest.mark.parametrize("rpc", UNARY)
def test_each_field_has_forms(rpc):
    """What the walk is made of: whatever a proto gains is in it."""
    made = list(mutations(GetMessageClass(METHODS[rpc].input_type)()))
    by_field = {
        field.name: {form.form for form in made if form.field == field.name} for field in METHODS[rpc].input_type.fields
    }
    assert all(len(forms) >= 10 for forms in by_field.values()), by_field
    assert sum(form.malformed for form in made) >= 9


@pytest.mark.timeout(900 if LONG else 120)
async def test_every_form_of_every_field(database):
    async with running_stack(database.url, BILLING_LOG_LEVEL="ERROR") as stack, Wire(stack.service.address) as wire:
        with structlog.testing.capture_logs() as lines:
            # walks go on beside each other: whether an account of that name exists must not depend on their pace
            for text in TEXTS:
                await wire.attempt(
                    "GrantCredits",
                    account_id=text,
                    amount_microcredits=CREDIT,
                    reason="gift",
                    idempotency_key=KEY.decode(),
                )
            requests = {rpc: await filled(stack, wire, rpc, f"{rpc}-payer") for rpc in UNARY}
            walks = await asyncio.gather(*(walk(wire, rpc, request) for rpc, request in requests.items()))
        assert not (await stack.client.verify_ledger()).differences
    assert [line for line in lines if line["log_level"] in ("error", "critical")] == []
    assert [each for _answers_of_one, wrong in walks for each in wrong] == []
    answers = {
        rpc: (requests[rpc].SerializeToString(), of_one) for rpc, (of_one, _wrong) in zip(UNARY, walks, strict=True)
    }
    assert {answer[2] for _request, of_one in answers.values() for answer in of_one} == {"OK", *REFUSALS}
    _answers[database.store] = answers
    for other in _answers.values():
        assert list(differences(other, answers)) == []


def differences(one, other):
    """Answers of two stores to the same calls. Where ids differ, random damage to them does not mean the same."""
    for rpc in UNARY:
        (request, answers), (other_request, other_answers) = one[rpc], other[rpc]
        for answer, other_answer in zip(answers, other_answers, strict=True):
            if answer != other_answer and (request == other_request or not answer[1].startswith("damaged")):
                yield rpc, answer, other_answer
