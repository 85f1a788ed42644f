"""A channel for each address, and one way to call through them. Its asynchronous twin says the same with awaits."""

import threading
import time
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
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

ANSWERED_RECENTLY_S = 1.0
"""How long after an answer a channel is taken for connected: gRPC's blocking channels do not say whether they are."""


class _Stubs:
    """A channel and what calls go through."""

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
        if credentials is None:
            channel = grpc.insecure_channel(address, how)
        else:
            channel = grpc.secure_channel(address, credentials, how)
        self.channel = channel
        self.billing = billing_pb2_grpc.BillingServiceStub(channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(channel)
        self.stripe_events = stripe_events_pb2_grpc.StripeEventServiceStub(channel)
        self.health: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(HEALTH_CHECK)
        self.answered_s = float("-inf")
        """When something last came back, in seconds of time.monotonic()."""
        self.is_closed = False

    def reach(self, timeout_s: float) -> bool:
        """Connects, unless an answer came just now. grpc.RpcError when nobody is reached; nothing of a call was sent.
        False where the service says that it can't do its work."""
        if time.monotonic() - self.answered_s < ANSWERED_RECENTLY_S:
            return True
        try:
            return is_serving(self.health(b"", timeout=timeout_s))
        except grpc.RpcError as failed:
            if failed.code() in UNREACHED:
                raise
        return True

    def rpc(self, rpc: Any) -> Any:
        """A method of these stubs: `rpc` itself, or the one of that name."""
        return getattr(getattr(self, rpc[0]), rpc[1]) if isinstance(rpc, tuple) else rpc

    def close(self) -> None:
        self.is_closed = True
        self.channel.close()


class Connection:
    """Connects on the first call, and anew on the first one after `close`. Safe to share among threads."""

    def __init__(self, options: ClientOptions) -> None:
        """OSError when a file of `options` can't be read."""
        self._options = options
        self._files = CredentialFiles(options)
        self._credentials = options.credentials() if options.uses_tls else None
        self._metadata = options.metadata()
        self._addresses = Addresses(options.address)
        self._routes = Routes(self._addresses.now) if options.is_routed else None
        self._stubs_now: dict[str, _Stubs] = {}
        self._retired: list[tuple[float, _Stubs]] = []
        self._lock = threading.Lock()

    @property
    def _stubs(self) -> _Stubs:
        """Of the channel for new calls."""
        return self._stubs_for("")

    def _stubs_for(self, account_id: str, tried: Collection[str] = ()) -> _Stubs:
        """Of the channel for a new call of an account. One whose files have changed is replaced; its calls go on."""
        address = "" if self._routes is None else self._routes.choose(account_id, tried)
        renewed = self._files.renewed()
        stubs = self._stubs_now.get(address)
        if renewed is None and stubs is not None:
            return stubs
        with self._lock:
            if renewed is not None:
                self._credentials = renewed
                self._retire(list(self._stubs_now))
            stubs = self._stubs_now.get(address)
            if stubs is None:
                if self._routes is not None:
                    self._retire(self._routes.without_gone(self._stubs_now))
                stubs = _Stubs(self._options, self._credentials, address, self._addresses.authority)
                self._stubs_now[address] = stubs
            return stubs

    @property
    def _billing(self) -> "billing_pb2_grpc.BillingServiceStub":
        return (
            self._stubs.billing
            if self._routes is None
            else cast("billing_pb2_grpc.BillingServiceStub", Named("billing"))
        )

    @property
    def _admin(self) -> "admin_pb2_grpc.AdminServiceStub":
        return self._stubs.admin if self._routes is None else cast(Any, Named("admin"))

    @property
    def _stripe_events(self) -> "stripe_events_pb2_grpc.StripeEventServiceStub":
        return (
            self._stubs.stripe_events
            if self._routes is None
            else cast("stripe_events_pb2_grpc.StripeEventServiceStub", Named("stripe_events"))
        )

    def _retire(self, addresses: Iterable[str]) -> None:
        """Closing would end their calls; so those are closed that were replaced long ago."""
        now_s = time.monotonic()
        for retired_s, old in self._retired:
            if now_s - retired_s > RETIRED_S:
                old.close()
        self._retired = [pair for pair in self._retired if now_s - pair[0] <= RETIRED_S]
        self._retired += [(now_s, self._stubs_now.pop(address)) for address in addresses]

    def _call(
        self,
        rpc: "grpc.UnaryUnaryMultiCallable[Request, Response]",
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
                serves = stubs.reach(remaining_s if routes is None else patience_s(remaining_s))
                if not serves and routes is not None and routes.goes_on(stubs.address, tried):
                    stubs = self._stubs_for(account_id, tried)
                    continue
                sent = True
                response: Response = stubs.rpc(rpc)(request, timeout=attempts.remaining_s(), metadata=metadata)
            except grpc.RpcError as failed:
                stubs.answered_s = time.monotonic() if failed.trailing_metadata() else float("-inf")
                lost = routes is not None and is_lost(failed, request, sent=sent)
                elsewhere = lost and routes is not None and routes.goes_on(stubs.address, tried)
                pause_s = attempts.failed(failed, sent=sent, elsewhere=elsewhere)
            except ValueError:  # how gRPC refuses a call on a channel that another thread has closed
                if not stubs.is_closed:
                    raise
                raise attempts.closed(sent=False) from None
            else:
                stubs.answered_s = time.monotonic()
                if routes is not None:
                    routes.answered(stubs.address)
                return response
            time.sleep(pause_s)
            if stubs.is_closed or attempts.is_late():
                attempts.give_up()
            if routes is not None:
                stubs = self._stubs_for(account_id, tried)
                attempts.address = stubs.address

    def _run_round(self, rounds: BatchRounds, headers: Headers | None) -> None:
        """One round of a batch: a call for each address, at once."""
        parts = rounds.parts(self._routes)
        if len(parts) == 1:
            rounds.take(parts, [self._run_part(rounds, parts[0], headers)])
            return
        with ThreadPoolExecutor(len(parts)) as threads:
            rounds.take(parts, list(threads.map(lambda part: self._run_part(rounds, part, headers), parts)))

    def _run_part(
        self, rounds: BatchRounds, part: Sequence[int], headers: Headers | None
    ) -> BatchDeductCreditsResponse | BillingError:
        request, account_id = rounds.request(part), rounds.account_of(part)
        try:
            return self._call(self._billing.BatchDeductCredits, request, rounds.remaining_s, headers, account_id)
        except BillingError as failure:
            return failure

    def _lose(self, stubs: _Stubs) -> None:
        """Takes the address of a stream that broke for lost."""
        if self._routes is not None:
            self._routes.lost(stubs.address)

    def _was_closed(self, stubs: _Stubs) -> bool:
        """By `close`; a channel whose files have changed is closed too, in its time."""
        return stubs.is_closed and not self._stubs_now

    def _pause(self, pause_s: float) -> None:
        time.sleep(pause_s)

    def is_serving(self, *, timeout_s: float = HEALTH_TIMEOUT_S) -> bool:
        """Whether the service answers, and says of itself that it can do its work. Never raises for its state.

        `timeout_s`: seconds to wait for the answer.

            serving = client.is_serving()
            print("up" if serving else "down")
        """
        for _ in self._addresses.now():  # without an account they take turns
            try:
                if is_serving(self._stubs.health(b"", timeout=timeout_s)):
                    return True
            except grpc.RpcError:
                continue  # no answer is the answer: not serving
        return False

    def close(self) -> None:
        """End the connections, and the calls that are under way as OutcomeUnknown. The next call connects anew.

        May be called from any thread, and again.

            client.close()
        """
        with self._lock:
            ended = self._retired
            ended += [(0.0, stubs) for stubs in self._stubs_now.values()]
            self._retired, self._stubs_now = [], {}
        for _, stubs in ended:
            stubs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
