"""Calls as any generated stub would make them: no retries, no keys filled in, nothing checked before it is sent."""

import asyncio
import hashlib
import hmac
import json
import re
import secrets
import sqlite3
import time
from contextlib import closing

import grpc
from billing_client.error_details import billing_error
from billing_client.errors import BillingError, Failure
from google.protobuf.json_format import ParseDict
from google.protobuf.message_factory import GetMessageClass
from prepaid.billing.v1 import admin_pb2, billing_pb2, stripe_events_pb2

from tests.support.databases import connect_to
from tests.support.stack import WEBHOOK_SECRET

SERVICES = (
    billing_pb2.DESCRIPTOR.services_by_name["BillingService"],
    admin_pb2.DESCRIPTOR.services_by_name["AdminService"],
    stripe_events_pb2.DESCRIPTOR.services_by_name["StripeEventService"],
)
METHODS = {method.name: method for service in SERVICES for method in service.methods}
WRITES = sorted(name for name, method in METHODS.items() if "idempotency_key" in method.input_type.fields_by_name)
TABLES = [
    "accounts",
    "profiles",
    "referral_codes",
    "stripe_customers",
    "lots",
    "transactions",
    "entries",
    "holds",
    "idempotency_keys",
    "deduction_reversals",
    "purchases",
    "purchase_references",
    "refunds",
    "referrals",
    "deployment",
    "stripe_events",
    "api_keys",
    "audit_records",
    "sessions",
    "rate_cards",
    "outbox",
    "spend_limits",
    "limited_charges",
    "corrections",
    "disputes",
]


def key():
    return secrets.token_hex(12)


def request_of(rpc, fields):
    """A request message from plain values."""
    return ParseDict(fields, GetMessageClass(METHODS[rpc].input_type)())


class Wire:
    """One channel to the service."""

    def __init__(self, address, api_key=None):
        self.channel = grpc.aio.insecure_channel(address)
        self._metadata = (("authorization", f"Bearer {api_key}"),) if api_key else ()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.channel.close()

    async def bytes_call(self, rpc, raw, timeout_s=20):
        """Sends bytes as they are."""
        method = METHODS[rpc]
        try:
            return await first_answer(self.channel, method, raw, timeout_s, self._metadata)
        except grpc.RpcError as failed:
            raise billing_error(failed, GetMessageClass(method.input_type)()) from failed

    async def call(self, rpc, **fields):
        """Sends exactly these fields."""
        return await self.bytes_call(rpc, request_of(rpc, fields).SerializeToString())

    async def do(self, rpc, **fields):
        """Sends these fields with a new key."""
        return await self.call(rpc, **{"idempotency_key": key(), **fields})

    async def refusal(self, rpc, **fields):
        """(status, reason) of a call that must be refused."""
        return told(await self.error(rpc, **fields))

    async def attempt(self, rpc, **fields):
        """The answer, or the error as a value."""
        try:
            return await self.call(rpc, **fields)
        except BillingError as error:
            return error

    async def error(self, rpc, **fields):
        answer = await self.attempt(rpc, **fields)
        assert isinstance(answer, BillingError), f"{rpc} was not refused: {answer}"
        return answer

    async def deliver(self, event, *, secret=WEBHOOK_SECRET):
        """Hands a signed event to ProcessStripeEvent; answers the outcome's name."""
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        request = stripe_events_pb2.ProcessStripeEventRequest(
            payload=payload, stripe_signature=signature(payload, secret)
        )
        answer = await self.bytes_call("ProcessStripeEvent", request.SerializeToString())
        return stripe_events_pb2.StripeEventOutcome.Name(answer.outcome).removeprefix("STRIPE_EVENT_OUTCOME_")

    async def deliver_until_taken(self, event):
        """As Stripe does: again while the answer is that it could not be processed now."""
        for _ in range(5):
            try:
                return await self.deliver(event)
            except Failure:
                await asyncio.sleep(0.05)
        return await self.deliver(event)


def snake_case(name):
    """An RPC's name as a method of the clients has it."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


async def first_answer(channel, method, raw, timeout_s, metadata):
    """Of a call with these bytes on it: a stream of requests has one. A stream of answers is read to its first."""
    only_answers = method.server_streaming and not method.client_streaming
    call = (channel.unary_stream if only_answers else channel.unary_unary)(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=bytes,
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )(raw, timeout=timeout_s, metadata=metadata)
    if not only_answers:
        return await call
    try:
        return await anext(aiter(call))
    finally:
        call.cancel()


def told(error):
    return error.status.name, error.reason


def signature(payload, secret=WEBHOOK_SECRET, at_s=None):
    at_s = int(time.time()) if at_s is None else at_s
    digest = hmac.new(secret.encode(), b"%d." % at_s + payload, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


async def outcomes(*calls):
    """Runs calls, up to 90 at once (a connection carries 100); answers results and errors in order."""
    room = asyncio.Semaphore(90)

    async def run(call):
        async with room:
            return await call

    return await asyncio.gather(*(run(call) for call in calls), return_exceptions=True)


async def row_counts(database):
    """Rows of every table: what a refusal must not change."""
    if database.store == "sqlite":
        with closing(sqlite3.connect(f"file:{database.path}?mode=ro", uri=True)) as connection:
            return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
    connection = await connect_to(database.url)
    try:
        return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}
    finally:
        await connection.close()
