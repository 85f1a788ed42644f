"""One channel, and one way to call through it. Its asynchronous twin says the same with awaits."""

from types import TracebackType
from typing import Self, TypeVar

import grpc
from google.protobuf.message import Message
from prepaid.billing.v1 import admin_pb2_grpc, billing_pb2_grpc, stripe_events_pb2_grpc

from billing_client.deadlines import timeout_s_of
from billing_client.error_details import billing_error
from billing_client.health import HEALTH_CHECK, HEALTH_TIMEOUT_S, is_serving
from billing_client.options import ClientOptions

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class Connection:
    """Connects on the first call. Safe to share among threads; close it, or use it in a `with`."""

    def __init__(self, options: ClientOptions) -> None:
        if options.uses_tls:
            self._channel = grpc.secure_channel(options.address, options.credentials(), options.channel_options())
        else:
            self._channel = grpc.insecure_channel(options.address, options.channel_options())
        self._options = options
        self._metadata = options.metadata()
        self._billing = billing_pb2_grpc.BillingServiceStub(self._channel)
        self._admin = admin_pb2_grpc.AdminServiceStub(self._channel)
        self._stripe_events = stripe_events_pb2_grpc.StripeEventServiceStub(self._channel)
        self._health: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(HEALTH_CHECK)

    def _call(self, rpc: "grpc.UnaryUnaryMultiCallable[Request, Response]", request: Request, timeout_s: float | None) -> Response:
        try:
            return rpc(request, timeout=timeout_s_of(request, timeout_s), metadata=self._metadata)
        except grpc.RpcError as failed:
            raise billing_error(failed, request) from failed

    def is_serving(self, *, timeout_s: float = HEALTH_TIMEOUT_S) -> bool:
        """Whether the service answers, and says of itself that it can do its work. Never raises for its state."""
        try:
            return is_serving(self._health(b"", timeout=timeout_s))
        except grpc.RpcError:
            # No answer is the answer: not serving.
            return False

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()
