"""One channel, and one way to call through it. Its blocking twin says the same without awaits."""

import asyncio
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

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.billing = billing_pb2_grpc.BillingServiceStub(channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(channel)
        self.stripe_events = stripe_events_pb2_grpc.StripeEventServiceStub(channel)
        self.health: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(HEALTH_CHECK)


class Connection:
    """Connects on the first call. Belongs to the event loop that runs when it is made; close it, or use it in an `async with`."""

    def __init__(self, options: ClientOptions) -> None:
        self._options = options
        self._files = CredentialFiles(options)
        self._stubs_now = self._connect(options.credentials() if options.uses_tls else None)
        self._metadata = options.metadata()
        self._retired: dict[asyncio.Task[None], grpc.aio.Channel] = {}

    def _connect(self, credentials: grpc.ChannelCredentials | None) -> _Stubs:
        options = self._options
        if credentials is None:
            return _Stubs(grpc.aio.insecure_channel(options.address, options.channel_options()))
        return _Stubs(grpc.aio.secure_channel(options.address, credentials, options.channel_options()))

    @property
    def _stubs(self) -> _Stubs:
        """Of the channel for new calls. One whose files have changed is replaced; its calls go on."""
        renewed = self._files.renewed()
        if renewed is not None:
            old, self._stubs_now = self._stubs_now, self._connect(renewed)
            self._retire(old.channel)
        return self._stubs_now

    @property
    def _billing(self) -> "billing_pb2_grpc.BillingServiceAsyncStub":
        return self._stubs.billing

    @property
    def _admin(self) -> "admin_pb2_grpc.AdminServiceAsyncStub":
        return self._stubs.admin

    @property
    def _stripe_events(self) -> "stripe_events_pb2_grpc.StripeEventServiceAsyncStub":
        return self._stubs.stripe_events

    def _retire(self, channel: grpc.aio.Channel) -> None:
        closing = asyncio.get_running_loop().create_task(channel.close(RETIRED_S))
        self._retired[closing] = channel
        closing.add_done_callback(self._retired.pop)

    async def _call(
        self, rpc: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]", request: Request, timeout_s: float | None
    ) -> Response:
        try:
            return await rpc(request, timeout=timeout_s_of(request, timeout_s), metadata=self._metadata)
        except grpc.RpcError as failed:
            raise billing_error(failed, request) from failed

    async def is_serving(self, *, timeout_s: float = HEALTH_TIMEOUT_S) -> bool:
        """Whether the service answers, and says of itself that it can do its work. Never raises for its state."""
        try:
            return is_serving(await self._stubs.health(b"", timeout=timeout_s))
        except grpc.RpcError:
            # No answer is the answer: not serving.
            return False

    async def close(self) -> None:
        retired = list(self._retired.items())
        for closing, _ in retired:
            closing.cancel()
        for channel in (self._stubs_now.channel, *(old for _, old in retired)):
            await channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()
