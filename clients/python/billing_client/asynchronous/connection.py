"""A channel for each event loop, and one way to call through it. Its blocking twin says the same without awaits."""

import asyncio
import threading
from types import TracebackType
from typing import Self, TypeVar

import grpc
from google.protobuf.message import Message
from prepaid.billing.v1 import admin_pb2_grpc, billing_pb2_grpc, stripe_events_pb2_grpc

from billing_client.credential_files import RETIRED_S, CredentialFiles
from billing_client.headers import Headers, overlaid
from billing_client.health import HEALTH_CHECK, HEALTH_TIMEOUT_S, is_serving
from billing_client.options import ClientOptions
from billing_client.retries import UNREACHED, Attempts

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class _Stubs:
    """A channel of the event loop that runs, and what calls go through."""

    def __init__(self, options: ClientOptions, credentials: grpc.ChannelCredentials | None) -> None:
        self.proxy = options.proxy
        self.credentials = credentials
        self.is_closed = False
        if credentials is None:
            channel = grpc.aio.insecure_channel(options.address, options.channel_options())
        else:
            channel = grpc.aio.secure_channel(options.address, credentials, options.channel_options())
        self.channel = channel
        self.billing = billing_pb2_grpc.BillingServiceStub(channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(channel)
        self.stripe_events = stripe_events_pb2_grpc.StripeEventServiceStub(channel)
        self.health: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(HEALTH_CHECK)

    async def reach(self, timeout_s: float | None) -> None:
        """Connects, unless it is connected. grpc.RpcError when nobody is reached; nothing of a call was sent then."""
        if self.channel.get_state() is grpc.ChannelConnectivity.READY:
            return
        try:
            await self.health(b"", timeout=timeout_s)
        except grpc.RpcError as failed:
            if failed.code() in UNREACHED:
                raise

    async def close(self) -> None:
        self.is_closed = True
        await self.channel.close()


class _Loop:
    """What belongs to one event loop."""

    def __init__(self) -> None:
        self.stubs: _Stubs | None = None
        self.retiring: dict[asyncio.Task[None], _Stubs] = {}

    def retire(self) -> None:
        """Closing would end the calls of the old channel; so it is closed later."""
        if self.stubs is not None:
            closing = asyncio.get_running_loop().create_task(self.stubs.channel.close(RETIRED_S))
            self.retiring[closing] = self.stubs
            closing.add_done_callback(self.retiring.pop)
            self.stubs = None

    async def close(self) -> None:
        ended = list(self.retiring.values())
        for closing in self.retiring:
            closing.cancel()
        if self.stubs is not None:
            ended.append(self.stubs)
            self.stubs = None
        for stubs in ended:
            await stubs.close()


class Connection:
    """Connects on the first call, in each event loop for itself, and anew on the first one after `close`.

    May be made where no event loop runs, and used in one after the other.
    """

    def __init__(self, options: ClientOptions) -> None:
        """OSError when a file of `options` can't be read."""
        self._options = options
        self._files = CredentialFiles(options)
        self._credentials = options.credentials() if options.uses_tls else None
        self._metadata = options.metadata()
        self._loops: dict[asyncio.AbstractEventLoop, _Loop] = {}
        self._lock = threading.Lock()

    @property
    def _stubs(self) -> _Stubs:
        """Of the channel for new calls of this loop. One whose files have changed is replaced; its calls go on."""
        renewed = self._files.renewed()
        if renewed is not None:
            self._credentials = renewed
        here = asyncio.get_running_loop()
        loop = self._loops.get(here)
        if loop is None:
            with self._lock:
                # gRPC's channels close when they are forgotten; nobody can await that in a loop that has ended.
                self._loops = {other: known for other, known in self._loops.items() if not other.is_closed()}
                loop = self._loops[here] = _Loop()
        if loop.stubs is None or loop.stubs.credentials is not self._credentials:
            loop.retire()
            loop.stubs = _Stubs(self._options, self._credentials)
        return loop.stubs

    @property
    def _billing(self) -> "billing_pb2_grpc.BillingServiceAsyncStub":
        return self._stubs.billing

    @property
    def _admin(self) -> "admin_pb2_grpc.AdminServiceAsyncStub":
        return self._stubs.admin

    @property
    def _stripe_events(self) -> "stripe_events_pb2_grpc.StripeEventServiceAsyncStub":
        return self._stubs.stripe_events

    async def _call(
        self,
        rpc: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]",
        request: Request,
        timeout_s: float | None,
        headers: Headers | None,
    ) -> Response:
        metadata = overlaid(self._metadata, headers)
        stubs = self._stubs
        attempts = Attempts(request, timeout_s, address=self._options.address, proxy=stubs.proxy)
        while True:
            sent = False
            try:
                await stubs.reach(attempts.remaining_s())
                sent = True
                return await rpc(request, timeout=attempts.remaining_s(), metadata=metadata)
            except grpc.RpcError as failed:
                pause_s = attempts.failed(failed, sent=sent)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not stubs.is_closed or (task is not None and task.cancelling()):
                    raise
                raise attempts.closed(sent=sent) from None
            await asyncio.sleep(pause_s)
            if stubs.is_closed or attempts.is_late():
                attempts.give_up()

    def _was_closed(self, stubs: _Stubs) -> bool:
        """By `close`; a channel whose files have changed is closed too, in its time."""
        return stubs.is_closed

    async def _pause(self, pause_s: float) -> None:
        await asyncio.sleep(pause_s)

    async def is_serving(self, *, timeout_s: float = HEALTH_TIMEOUT_S) -> bool:
        """Whether the service answers, and says of itself that it can do its work. Never raises for its state.

        `timeout_s`: seconds to wait for the answer.

            serving = await client.is_serving()
            print("up" if serving else "down")
        """
        try:
            return is_serving(await self._stubs.health(b"", timeout=timeout_s))
        except grpc.RpcError:
            # No answer is the answer: not serving.
            return False

    async def close(self) -> None:
        """End the connections, and the calls that are under way as OutcomeUnknown. The next call connects anew.

        Connections of other event loops are given up without waiting for them.

            await client.close()
        """
        with self._lock:
            loops, self._loops = self._loops, {}
        here = loops.pop(asyncio.get_running_loop(), None)
        if here is not None:
            await here.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
