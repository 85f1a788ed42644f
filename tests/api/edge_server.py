"""A real server on a port of its own with scripted implementations, for the tests of the gRPC edge."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from prepaid.billing.v1 import (
    accounts_pb2,
    admin_pb2,
    billing_pb2,
    billing_pb2_grpc,
    stripe_events_pb2,
    transactions_pb2,
)
from prometheus_client import CollectorRegistry

from billing_service.api.identity import Authenticator, LocalAuthenticator
from billing_service.api.pipeline import Implementation
from billing_service.api.server import AnyImplementation, RunningServer, ServerLimits, Service, start_server
from billing_service.api.streams.balances import WatchImplementation
from billing_service.api.streams.streaming import StreamImplementation
from billing_service.api.streams.watched_balances import Source, WatchedBalances
from billing_service.api.tls import TlsFiles
from billing_service.commands.accounts.watch_balance import Shown
from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.balance import Balance, Mark
from billing_service.ledger.changes import Changes

BILLING = billing_pb2.DESCRIPTOR.services_by_name["BillingService"]
ADMIN = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]
STRIPE_EVENTS = stripe_events_pb2.DESCRIPTOR.services_by_name["StripeEventService"]
TIMEOUT_S = 30.0
REQUEST = transactions_pb2.DeductCreditsRequest(account_id="acct-1", amount_microcredits=5, idempotency_key="k1")
ANSWER = transactions_pb2.DeductCreditsResponse(transaction_id="txn_1", deducted_microcredits=5)


@dataclass
class RecordingLog:
    lines: list[dict[str, Any]] = field(default_factory=list)

    def _record(self, level: str, event: str, **values: Any) -> None:
        self.lines.append({"level": level, "event": event, **values})

    def debug(self, event: str, **values: Any) -> None:
        self._record("debug", event, **values)

    def info(self, event: str, **values: Any) -> None:
        self._record("info", event, **values)

    def warning(self, event: str, **values: Any) -> None:
        self._record("warning", event, **values)

    def error(self, event: str, **values: Any) -> None:
        self._record("error", event, **values)

    def rpcs(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == "rpc"]


@dataclass
class EdgeUnderTest:
    server: RunningServer
    channel: grpc.aio.Channel
    stub: Any
    registry: CollectorRegistry
    log: RecordingLog
    address: str


@dataclass(frozen=True)
class Told:
    """What a caller was told when the answer was no."""

    code: grpc.StatusCode
    text: str
    reason: str
    metadata: dict[str, str]
    violations: list[tuple[str, str]]
    retry_ms: int | None


def told(error: grpc.aio.AioRpcError) -> Told:
    (raw,) = [value for name, value in error.trailing_metadata() if name == "grpc-status-details-bin"]
    status = status_pb2.Status.FromString(raw)
    info, bad_request, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    found = {
        type(message) for detail in status.details for message in (info, bad_request, retry) if detail.Unpack(message)
    }
    assert error_details_pb2.ErrorInfo in found
    assert info.domain == "prepaid.billing.v1"
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    return Told(
        error.code(),
        error.details(),
        info.reason,
        dict(info.metadata),
        [(violation.field, violation.description) for violation in bad_request.field_violations],
        retry.retry_delay.ToMilliseconds() if error_details_pb2.RetryInfo in found else None,
    )


async def refused(call: Any) -> Told:
    """Awaits a call that must be refused with details."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return told(error)
    raise AssertionError(f"answered {answer!r}")


def raising(error: BaseException) -> Implementation:
    async def implementation(_request, _call):
        raise error

    return implementation


def sample(edge: EdgeUnderTest, name: str, **labels: str) -> float:
    return edge.registry.get_sample_value(name, labels) or 0.0


class Gate:
    """An implementation that waits until it is opened."""

    def __init__(self) -> None:
        self.entered = asyncio.Semaphore(0)
        self.open = asyncio.Event()
        self.left: list[str] = []

    async def __call__(self, _request, _call):
        self.entered.release()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.left.append("cancelled")
            raise
        self.left.append("done")
        return ANSWER

    async def wait(self, _request, _call):
        return await self(_request, _call)


async def eventually(condition: Callable[[], bool]) -> None:
    """Polls what the server does after its answer; the test's time limit bounds it."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110 - what it waits for raises no event
            await asyncio.sleep(0.005)


def empty_answers(service: ServiceDescriptor) -> dict[str, AnyImplementation]:
    def of(answer: Any) -> Implementation:
        async def implementation(_request: Any, _call: Any) -> Any:
            return answer

        return implementation

    empty: dict[str, AnyImplementation] = {
        method.name: of(GetMessageClass(method.output_type)()) for method in service.methods
    }
    empty |= {method.name: echo() for method in service.methods if method.client_streaming}
    # streams of answers alone: their own tests have what they answer
    only_answers = [each.name for each in service.methods if each.server_streaming and not each.client_streaming]
    return empty | {name: watching(EmptyAccounts()) for name in only_answers}


class EmptyAccounts:
    """A source with every account, each empty."""

    def now_us(self) -> int:
        return 0

    async def read(self, account_ids: Sequence[str]) -> Mapping[str, Shown]:
        return {each: Shown(Account(each).show(0), Mark(0, frozen=False), None) for each in account_ids}

    async def marks(self, account_ids: Sequence[str]) -> Mapping[str, Mark]:
        return {each: Mark(0, frozen=False) for each in account_ids}


def watching(source: Source, changes: Changes | None = None) -> WatchImplementation:
    """Shows the versions of what a source has."""

    def encode(shown: Balance) -> bytes:
        balance = accounts_pb2.Balance(account_version=shown.version, available_microcredits=shown.available)
        return accounts_pb2.WatchBalanceResponse(balance=balance).SerializeToString()

    return WatchImplementation(lambda _: None, encode, WatchedBalances(source, changes or Changes()))


def done(result: Any) -> "asyncio.Future[Any]":
    future = asyncio.get_running_loop().create_future()
    future.set_result(result)
    return future


def streamed(sequence: int, begun: "asyncio.Future[Any] | Exception", _request: Any, _call: Any) -> bytes:
    """Tells what a request became: its account, or why not."""
    try:
        account_id = begun.result() if isinstance(begun, asyncio.Future) else begun.reason.value
    except asyncio.CancelledError:
        account_id = "cancelled"
    deducted = transactions_pb2.DeductCreditsResponse(transaction_id=account_id)
    outcome = transactions_pb2.DeductionOutcome(deducted=deducted)
    return transactions_pb2.StreamDeductionsResponse(sequence=sequence, outcome=outcome).SerializeToString()


def echo() -> StreamImplementation[str]:
    """Answers each request of a stream at once: a deduction with its account id, any other with nothing."""

    def account_of(request: Any) -> str:
        deducts = "deduction" in request.DESCRIPTOR.fields_by_name
        return request.deduction.account_id if deducts else ""

    return StreamImplementation(lambda request, _call: done(account_of(request)), streamed)


async def ready() -> None:
    """A probe that succeeds."""


@asynccontextmanager
async def edge_server(
    implementations: Mapping[str, AnyImplementation] | None = None,
    *,
    authenticator: Authenticator | None = None,
    limits: ServerLimits | None = None,
    probe: Any = ready,
    tls: TlsFiles | None = None,
    listen: str = "127.0.0.1:0",
    **options: Any,
) -> AsyncIterator[EdgeUnderTest]:
    registry, log = CollectorRegistry(), RecordingLog()
    server = await start_server(
        listen,
        [
            Service(BILLING, empty_answers(BILLING) | dict(implementations or {})),
            Service(ADMIN, empty_answers(ADMIN)),
            Service(STRIPE_EVENTS, empty_answers(STRIPE_EVENTS)),
        ],
        authenticator=authenticator or LocalAuthenticator(),
        probe=probe,
        registry=registry,
        log=log,
        limits=limits or ServerLimits(grace_s=0.5),
        tls=tls,
        **options,
    )
    address = f"127.0.0.1:{server.port}"
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield EdgeUnderTest(server, channel, billing_pb2_grpc.BillingServiceStub(channel), registry, log, address)
    finally:
        await server.stop(at_once=True)
