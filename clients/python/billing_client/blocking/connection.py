"""One channel, and one way to call through it. Its asynchronous twin says the same with awaits."""

import threading
import time
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

ANSWERED_RECENTLY_S = 1.0
"""How long after an answer a channel is taken for connected: gRPC's blocking channels do not say whether they are."""


class _Stubs:
    """A channel and what calls go through."""

    def __init__(self, options: ClientOptions, credentials: grpc.ChannelCredentials | None) -> None:
        self.proxy = options.proxy
        if credentials is None:
            channel = grpc.insecure_channel(options.address, options.channel_options())
        else:
            channel = grpc.secure_channel(options.address, credentials, options.channel_options())
        self.channel = channel
        self.billing = billing_pb2_grpc.BillingServiceStub(channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(channel)
        self.stripe_events = stripe_events_pb2_grpc.StripeEventServiceStub(channel)
        self.health: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(HEALTH_CHECK)
        self.answered_s = float("-inf")
        """When something last came back, in seconds of time.monotonic()."""
        self.is_closed = False

    def reach(self, timeout_s: float) -> None:
        """Connects, unless an answer came just now. grpc.RpcError when nobody is reached; nothing of a call was
        sent."""
        if time.monotonic() - self.answered_s < ANSWERED_RECENTLY_S:
            return
        try:
            self.health(b"", timeout=timeout_s)
        except grpc.RpcError as failed:
            if failed.code() in UNREACHED:
                raise

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
        self._stubs_now: _Stubs | None = None
        self._retired: list[tuple[float, _Stubs]] = []
        self._lock = threading.Lock()

    @property
    def _stubs(self) -> _Stubs:
        """Of the channel for new calls. One whose files have changed is replaced; its calls go on."""
        renewed = self._files.renewed()
        stubs = self._stubs_now
        if renewed is None and stubs is not None:
            return stubs
        with self._lock:
            if renewed is not None:
                self._credentials = renewed
                self._retire()
            if self._stubs_now is None:
                self._stubs_now = _Stubs(self._options, self._credentials)
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

    def _retire(self) -> None:
        """Closing would end its calls; so those are closed that were replaced long ago."""
        now_s = time.monotonic()
        for retired_s, old in self._retired:
            if now_s - retired_s > RETIRED_S:
                old.close()
        self._retired = [pair for pair in self._retired if now_s - pair[0] <= RETIRED_S]
        if self._stubs_now is not None:
            self._retired.append((now_s, self._stubs_now))
            self._stubs_now = None

    def _call(
        self,
        rpc: "grpc.UnaryUnaryMultiCallable[Request, Response]",
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
                stubs.reach(attempts.remaining_s())
                sent = True
                response = rpc(request, timeout=attempts.remaining_s(), metadata=metadata)
            except grpc.RpcError as failed:
                stubs.answered_s = time.monotonic() if failed.trailing_metadata() else float("-inf")
                pause_s = attempts.failed(failed, sent=sent)
            except ValueError:  # how gRPC refuses a call on a channel that another thread has closed
                if not stubs.is_closed:
                    raise
                raise attempts.closed(sent=False) from None
            else:
                stubs.answered_s = time.monotonic()
                return response
            time.sleep(pause_s)
            if stubs.is_closed or attempts.is_late():
                attempts.give_up()

    def _was_closed(self, stubs: _Stubs) -> bool:
        """By `close`; a channel whose files have changed is closed too, in its time."""
        return stubs.is_closed and self._stubs_now is None

    def _pause(self, pause_s: float) -> None:
        time.sleep(pause_s)

    def is_serving(self, *, timeout_s: float = HEALTH_TIMEOUT_S) -> bool:
        """Whether the service answers, and says of itself that it can do its work. Never raises for its state.

        `timeout_s`: seconds to wait for the answer.

            serving = client.is_serving()
            print("up" if serving else "down")
        """
        try:
            return is_serving(self._stubs.health(b"", timeout=timeout_s))
        except grpc.RpcError:
            # No answer is the answer: not serving.
            return False

    def close(self) -> None:
        """End the connections, and the calls that are under way as OutcomeUnknown. The next call connects anew.

        May be called from any thread, and again.

            client.close()
        """
        with self._lock:
            ended = self._retired
            if self._stubs_now is not None:
                ended.append((0.0, self._stubs_now))
            self._retired, self._stubs_now = [], None
        for _, stubs in ended:
            stubs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
