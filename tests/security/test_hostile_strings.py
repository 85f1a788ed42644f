"""Hostile text in every text field of every RPC, on both stores: refused or kept, never a defect."""

import asyncio

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.internal.encoder import _VarintBytes

from billing_service.bootstrap import open_service
from billing_service.settings import load_settings
from tests.security.every_rpc import METHODS, call, valid_request
from tests.support.stack import environment

HOSTILE = (
    "'; DROP TABLE accounts; --",
    "' OR '1'='1",
    '" OR ""="',
    "1; SELECT pg_sleep(10)",
    "') UNION SELECT secret_hash FROM api_keys --",
    "%s %d %(x)s {0} ${jndi:ldap://127.0.0.1/a}",
    "$1 :name ? @p1",
    "\\'; \\x00 \\u0000",
    "a\x00b",
    "\x00",
    "\x1b[31mred\x1b[0m\r\nforged: line",
    "\u202eright to left",
    "\ufeffbom",
    "\ud7ff\ue000\uffff",
    "\U0001f4a9" * 40,
    "\U0010ffff",
    "e\u0301 versus \u00e9",
    " \t ",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "\u0130i\u0131I",
    "x" * 60_000,
    "\u00e9" * 20_000,
)
INVALID_UTF8 = (b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"a\x80")
DEFECTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED}
AT_ONCE = 16


def text_fields(name):
    """Text, bytes and maps of text."""
    wanted = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
    fields = valid_request(name).DESCRIPTOR.fields
    return [
        field
        for field in fields
        if field.type in wanted or (field.message_type and field.message_type.GetOptions().map_entry)
    ]


def within(name, deduction):
    """A deduction, or bytes in its place, as the one of a batch or of a stream; of a session its opening."""
    raw = deduction if isinstance(deduction, bytes) else deduction.SerializeToString()
    field = METHODS[name].input_type.fields[0]
    return bytes([field.number << 3 | 2]) + _VarintBytes(len(raw)) + raw


def hostile_requests(name):  # noqa: C901 - a branch for each shape of field
    if name in ("BatchDeductCredits", "StreamDeductions"):
        yield from ((field, within(name, deduction)) for field, deduction in hostile_requests("DeductCredits"))
    if name == "MeterSession":
        for text in HOSTILE:
            for field in ("account_id", "description", "idempotency_key"):
                request = valid_request(name)
                setattr(request.open, field, text)
                yield field, request
    for field in text_fields(name):
        for text in HOSTILE:
            request = valid_request(name)
            if field.message_type:
                getattr(request, field.name)[text] = "value"
                getattr(request, field.name)["name"] = text
            elif field.is_repeated:
                getattr(request, field.name).append(text)
            else:
                setattr(request, field.name, text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text)
            yield field.name, request
        if not field.message_type:
            for raw in INVALID_UTF8:
                yield field.name, bytes([field.number << 3 | 2, len(raw)]) + raw


@pytest.fixture
async def service(database):
    settings = environment(
        database.url,
        "http://127.0.0.1:9",
        BILLING_MIGRATE_ON_START="false",
        STRIPE_TIMEOUT_S="0.5",
        BILLING_LOG_LEVEL="ERROR",
    )
    async with open_service(load_settings(settings)) as started:
        yield started


async def test_hostile_text_is_refused_or_kept_and_never_a_defect(service):
    limit, seen = asyncio.Semaphore(AT_ONCE), {}

    async def send(name, field, request):
        async with limit:
            answer = await call(channel, name, request)
        assert answer.code not in DEFECTS, f"{name}.{field}: {request!r:.200}: {answer.everything}"
        seen[answer.code] = seen.get(answer.code, 0) + 1

    async with grpc.aio.insecure_channel(service.address) as channel:
        await asyncio.gather(
            *(send(name, field, request) for name in METHODS for field, request in hostile_requests(name))
        )
        verified = await call(channel, "VerifyLedger", valid_request("VerifyLedger", account_id=""))
        assert not verified.answer.differences
    assert seen[grpc.StatusCode.OK] > 20, "hardly anything got through to the database"
    assert seen[grpc.StatusCode.INVALID_ARGUMENT] > 20
