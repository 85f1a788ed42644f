"""A gRPC server in this process that answers every RPC of the contract by a script and remembers every attempt."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from prepaid.billing.v1 import admin_pb2, billing_pb2, stripe_events_pb2

METHODS = {
    f"/{service.full_name}/{method.name}": method
    for module in (billing_pb2, admin_pb2, stripe_events_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


@dataclass
class Answer:
    """An error status, with details as the service packs them."""

    status: grpc.StatusCode
    reason: str = ""
    metadata: dict = field(default_factory=dict)
    domain: str = "prepaid.billing.v1"
    more: tuple = ()
    message: str = "scripted"
    trailer: bytes | None = None

    def packed(self) -> bytes:
        if self.trailer is not None:
            return self.trailer
        details = list(self.more)
        if self.reason:
            details.append(error_details_pb2.ErrorInfo(reason=self.reason, domain=self.domain, metadata=self.metadata))
        packed = status_pb2.Status(code=self.status.value[0], message=self.message)
        for detail in details:
            wrapped = AnyMessage()
            wrapped.Pack(detail)
            packed.details.append(wrapped)
        return packed.SerializeToString()


class Hang:
    """Never answers; ends when the caller gives up."""


@dataclass
class Attempt:
    rpc: str
    request: Message
    metadata: dict
    time_remaining_s: float


class FakeService(grpc.GenericRpcHandler):
    def __init__(self):
        self.script: list = []
        self.attempts: list[Attempt] = []
        self.address = ""
        self.stop = lambda _grace_s=0: None
        """Ends it; what is under way has this time."""
        self.health = b"\x08\x01"
        self.streams: list[list[Message]] = []
        self.stream_metadata: list[dict] = []
        self.converse = None

    async def arrived(self, count=1):
        """Waits until so many attempts are here."""
        while len(self.attempts) < count:  # noqa: ASYNC110 - they arrive in threads of gRPC
            await asyncio.sleep(0.01)

    def service(self, call_details):
        if call_details.method == "/grpc.health.v1.Health/Check":
            return grpc.unary_unary_rpc_method_handler(lambda _request, context: self._answer_health(context))
        method = METHODS[call_details.method]
        if method.client_streaming:
            return grpc.stream_stream_rpc_method_handler(
                self._stream,
                request_deserializer=GetMessageClass(method.input_type).FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(
                lambda request, context: self._stream(iter([request]), context),
                request_deserializer=GetMessageClass(method.input_type).FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._answer(method, request, context),
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    def _stream(self, requests, context):
        """Answers by `converse`, which gets all streams so far, each a list of the requests that came on it."""
        received = []
        self.streams.append(received)
        self.stream_metadata.append(_metadata_of(context))
        yield from self.converse(received, requests, context)

    def _answer_health(self, context):
        if isinstance(self.health, grpc.StatusCode):
            context.abort(self.health, "scripted")
        return self.health

    def _answer(self, method, request, context):
        self.attempts.append(Attempt(method.name, request, _metadata_of(context), context.time_remaining()))
        reply = self.script.pop(0) if self.script else GetMessageClass(method.output_type)()
        if isinstance(reply, Hang):
            given_up = threading.Event()
            if context.add_callback(given_up.set):
                given_up.wait(30)
            context.abort(grpc.StatusCode.CANCELLED, "given up")
        if isinstance(reply, Answer):
            context.set_trailing_metadata((("grpc-status-details-bin", reply.packed()),))
            context.abort(reply.status, reply.message)
        return reply


def _metadata_of(context) -> dict:
    return {key: value for key, value in context.invocation_metadata()}  # noqa: C416 - pairs are not plain tuples


@contextmanager
def running_fake_service(fake: FakeService | None = None) -> Iterator[FakeService]:
    fake = fake or FakeService()
    with ThreadPoolExecutor(8) as threads:
        server = grpc.server(threads, handlers=(fake,))
        fake.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        fake.stop = lambda grace_s=0: server.stop(grace_s).wait()
        server.start()
        try:
            yield fake
        finally:
            server.stop(0).wait()
