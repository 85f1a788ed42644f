"""A channel for each event loop and address, and one way to call through them. Its blocking twin says the same without
awaits."""

import asyncio
import threading
from collections.abc import Collection, Iterable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import grpc
from google.protobuf.message import Message
from prepaid.billing.v1 import admin_pb2_grpc, billing_pb2_grpc, stripe_events_pb2_grpc
from prepaid.billing.v1.transactions_pb2 import BatchDeductCreditsResponse

from billing_client.credential_files import RETIRED_S, CredentialFiles
from billing_client.deductions import BatchRounds
from billing_client.errors import BillingError
from billing_client.headers import Headers, overlaid
from billing_client.health import HEALTH_CHECK, HEALTH_TIMEOUT_S, is_serving
from billing_client.options import ClientOptions
from billing_client.retries import UNREACHED, Attempts, is_lost
from billing_client.routing import Addresses, Named, Routes, patience_s

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class _Stubs:
    """A channel of the event loop that runs, and what calls go through."""

    def __init__(
        self,
        options: ClientOptions,
        credentials: grpc.ChannelCredentials | None,
        address: str = "",
        authority: str = "",
    ) -> None:
        """`address`: one of several; empty: that of the options. `authority`: see `ClientOptions.channel_options`."""
        address = address or options.address
        self.address = address
        self.proxy = options.proxy_to(address)
        how = options.channel_options(address, authority)
        self.credentials = credentials
        self.is_closed = False
        if credentials is None:
            channel = grpc.aio.insecure_channel(address, how)
        else:
            channel = grpc.aio.secure_channel(address, credentials, how)
        self.channel = channel
        self.billing = billing_pb2_grpc.BillingServiceStub(channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(channel)
        self.stripe_events = stripe_events_pb2_grpc.StripeEventServiceStub(channel)
        self.health: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(HEALTH_CHECK)

    async def reach(self, timeout_s: float | None) -> bool:
        """Connects, unless it is connected. grpc.RpcError when nobody is reached; nothing of a call was sent then.
        False where the service says that it can't do its work."""
        if self.channel.get_state() is grpc.ChannelConnectivity.READY:
            return True
        try:
            return is_serving(await self.health(b"", timeout=timeout_s))
        except grpc.RpcError as failed:
            if failed.code() in UNREACHED:
                raise
        return True

    def rpc(self, rpc: Any) -> Any:
        """The method of that name of these stubs."""
        return getattr(getattr(self, rpc[0]), rpc[1])

    async def close(self) -> None:
        self.is_closed = True
        await self.channel.close()


class _Loop:
    """What belongs to one event loop."""

    def __init__(self) -> None:
        self.stubs: dict[str, _Stubs] = {}
        """By address; of one address alone by an empty one."""
        self.retiring: dict[asyncio.Task[None], _Stubs] = {}

    def retire(self, addresses: Iterable[str]) -> None:
        """Closing would end the calls of old channels, also with a grace those that look for the service just now; so
        they are closed later."""
        for address in addresses:
            stubs = self.stubs.pop(address)
            closing = asyncio.get_running_loop().create_task(_close_later(stubs.channel))
            self.retiring[closing] = stubs
            closing.add_done_callback(self.retiring.pop)

    async def close(self) -> None:
        ended = list(self.retiring.values())
        for closing in self.retiring:
            closing.cancel()
        ended += self.stubs.values()
        self.stubs = {}
        for stubs in ended:
            await stubs.close()


async def _close_later(channel: grpc.aio.Channel) -> None:
    await asyncio.sleep(RETIRED_S)
    await channel.close()


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
        self._addresses = Addresses(options.address)
        self._routes = Routes(self._addresses.now) if options.is_routed else None
        self._loops: dict[asyncio.AbstractEventLoop, _Loop] = {}
        self._lock = threading.Lock()

    @property
    def _stubs(self) -> _Stubs:
        """Of the channel for new calls of this loop."""
        return self._stubs_for("")

    def _stubs_for(self, account_id: str, tried: Collection[str] = ()) -> _Stubs:
        """Of this loop's channel for a new call of an account. One whose files have changed is replaced; its calls go
        on."""
        address = "" if self._routes is None else self._routes.choose(account_id, tried)
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
        stubs = loop.stubs.get(address)
        if stubs is None or stubs.credentials is not self._credentials:
            if stubs is not None:
                loop.retire([address])
            if self._routes is not None:
                loop.retire(self._routes.without_gone(loop.stubs))
            stubs = _Stubs(self._options, self._credentials, address, self._addresses.authority)
            loop.stubs[address] = stubs
        return stubs

    # By name: whichever channel a call gets, its method is that channel's.
    @property
    def _billing(self) -> "billing_pb2_grpc.BillingServiceAsyncStub":
        return cast("billing_pb2_grpc.BillingServiceAsyncStub", Named("billing"))

    @property
    def _admin(self) -> "admin_pb2_grpc.AdminServiceAsyncStub":
        return cast("admin_pb2_grpc.AdminServiceAsyncStub", Named("admin"))

    @property
    def _stripe_events(self) -> "stripe_events_pb2_grpc.StripeEventServiceAsyncStub":
        return cast("stripe_events_pb2_grpc.StripeEventServiceAsyncStub", Named("stripe_events"))

    async def _call(
        self,
        rpc: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]",
        request: Request,
        timeout_s: float | None,
        headers: Headers | None,
        account_id: str | None = None,
    ) -> Response:
        """`account_id`: whose order of addresses is gone by; None: that of the request, if it has one."""
        metadata, routes = overlaid(self._metadata, headers), self._routes
        account_id = getattr(request, "account_id", "") if account_id is None else account_id
        stubs, tried = self._stubs_for(account_id), set[str]()
        attempts = Attempts(request, timeout_s, address=stubs.address, proxy=stubs.proxy)
        while True:
            sent = False
            try:
                remaining_s = attempts.remaining_s()
                serves = await stubs.reach(remaining_s if routes is None else patience_s(remaining_s))
                if not serves and routes is not None and routes.goes_on(stubs.address, tried):
                    stubs = self._stubs_for(account_id, tried)
                    continue
                sent = True
                response: Response = await stubs.rpc(rpc)(request, timeout=attempts.remaining_s(), metadata=metadata)
            except grpc.RpcError as failed:
                lost = routes is not None and is_lost(failed, request, sent=sent)
                elsewhere = lost and routes is not None and routes.goes_on(stubs.address, tried)
                pause_s = attempts.failed(failed, sent=sent, elsewhere=elsewhere)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not stubs.is_closed or (task is not None and task.cancelling()):
                    raise
                raise attempts.closed(sent=sent) from None
            else:
                if routes is not None:
                    routes.answered(stubs.address)
                return response
            await asyncio.sleep(pause_s)
            if stubs.is_closed or attempts.is_late():
                attempts.give_up()
            if routes is not None:
                stubs = self._stubs_for(account_id, tried)
                attempts.address = stubs.address

    async def _run_round(self, rounds: BatchRounds, headers: Headers | None) -> None:
        """One round of a batch: a call for each address, at once."""
        parts = rounds.parts(self._routes)
        rounds.take(parts, await asyncio.gather(*(self._run_part(rounds, part, headers) for part in parts)))

    async def _run_part(
        self, rounds: BatchRounds, part: Sequence[int], headers: Headers | None
    ) -> BatchDeductCreditsResponse | BillingError:
        request, account_id = rounds.request(part), rounds.account_of(part)
        try:
            return await self._call(self._billing.BatchDeductCredits, request, rounds.remaining_s, headers, account_id)
        except BillingError as failure:
            return failure

    async def _reached(self, account_id: str, timeout_s: float) -> _Stubs:
        """Of the first address in an account's order that is there. grpc.RpcError when none is."""
        routes, tried = self._routes, set[str]()
        while True:
            stubs = self._stubs_for(account_id, tried)
            try:
                serves = await stubs.reach(timeout_s if routes is None else patience_s(timeout_s))
            except grpc.RpcError:
                if routes is None or not routes.goes_on(stubs.address, tried):
                    raise
            else:
                if serves or routes is None or not routes.goes_on(stubs.address, tried):
                    if routes is not None:
                        routes.answered(stubs.address)
                    return stubs

    def _lose(self, stubs: _Stubs) -> None:
        """Takes the address of a stream that broke for lost."""
        if self._routes is not None:
            self._routes.lost(stubs.address)

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
        for _ in self._addresses.now():  # without an account they take turns
            try:
                if is_serving(await self._stubs.health(b"", timeout=timeout_s)):
                    return True
            except grpc.RpcError:
                continue  # no answer is the answer: not serving
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
