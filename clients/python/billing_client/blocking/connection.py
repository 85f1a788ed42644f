"""One channel, and one way to call through it. Its asynchronous twin says the same with awaits."""

import time
from types import TracebackType
from typing import Self, TypeVar

import grpc
from google.protobuf.message import Message
from prepaid.billing.v1 import admin_pb2_grpc, billing_pb2_grpc, stripe_events_pb2_grpc

from billing_client.credential_files import RETIRED_S, CredentialFiles
from billing_client.deadlines import timeout_s_of
from billing_client.error_details import billing_error
from billing_client.health import HEALTH_CHECK, HEALTH_TIMEOUT_S, is_serving
from billing_client.options import ClientOptions

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class _Stubs:
    """A channel and what calls go through."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self.billing = billing_pb2_grpc.BillingServiceStub(channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(channel)
        self.stripe_events = stripe_events_pb2_grpc.StripeEventServiceStub(channel)
        self.health: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(HEALTH_CHECK)


class Connection:
    """Connects on the first call. Safe to share among threads; close it, or use it in a `with`."""

    def __init__(self, options: ClientOptions) -> None:
        self._options = options
        self._files = CredentialFiles(options)
        self._stubs_now = self._connect(options.credentials() if options.uses_tls else None)
        self._metadata = options.metadata()
        self._retired: list[tuple[float, grpc.Channel]] = []

    def _connect(self, credentials: grpc.ChannelCredentials | None) -> _Stubs:
        options = self._options
        if credentials is None:
            return _Stubs(grpc.insecure_channel(options.address, options.channel_options()))
        return _Stubs(grpc.secure_channel(options.address, credentials, options.channel_options()))

    @property
    def _stubs(self) -> _Stubs:
        """Of the channel for new calls. One whose files have changed is replaced; its calls go on."""
        renewed = self._files.renewed()
        if renewed is not None:
            old, self._stubs_now = self._stubs_now, self._connect(renewed)
            self._retire(old.channel)
        return self._stubs_now

    @property
    def _billing(self) -> "billing_pb2_grpc.BillingServiceStub":
        return self._stubs.billing

    @property
    def _admin(self) -> "admin_pb2_grpc.AdminServiceStub":
        return self._stubs.admin

    @property
    def _stripe_events(self) -> "stripe_events_pb2_grpc.StripeEventServiceStub":
        return self._stubs.stripe_events

    def _retire(self, channel: grpc.Channel) -> None:
        """Closing would end its calls; so those are closed that were replaced long ago."""
        now_s = time.monotonic()
        for retired_s, old in self._retired:
            if now_s - retired_s > RETIRED_S:
                old.close()
        self._retired = [pair for pair in self._retired if now_s - pair[0] <= RETIRED_S] + [(now_s, channel)]

    def _call(self, rpc: "grpc.UnaryUnaryMultiCallable[Request, Response]", request: Request, timeout_s: float | None) -> Response:
        try:
            return rpc(request, timeout=timeout_s_of(request, timeout_s), metadata=self._metadata)
        except grpc.RpcError as failed:
            raise billing_error(failed, request) from failed

    def is_serving(self, *, timeout_s: float = HEALTH_TIMEOUT_S) -> bool:
        """Whether the service answers, and says of itself that it can do its work. Never raises for its state."""
        try:
            return is_serving(self._stubs.health(b"", timeout=timeout_s))
        except grpc.RpcError:
            # No answer is the answer: not serving.
            return False

    def close(self) -> None:
        for _, channel in self._retired:
            channel.close()
        self._stubs_now.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()
