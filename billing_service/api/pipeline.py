"""What every call passes through, composed once per method when the server is built.

    errors → counts and log → deadline → admission → identity and scope → size and decoding → implementation

Each step is inlined into one coroutine. Interceptors of grpc.aio build a new handler for every call, and each layer of
coroutines costs about a microsecond. This is the path of thousands of deductions a second.

Which calls have a line in the log, and what it says: see `call_log`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import grpc
from billing_client.request_ids import REQUEST_ID_HEADER, TRACE_HEADER, request_id, trace_id
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from prepaid.billing.v1 import scopes_pb2
from structlog.contextvars import bound_contextvars

from billing_service.api.admission import Admission
from billing_service.api.bound_keys import for_bound_keys
from billing_service.api.call_log import HOT_METHODS, SLOW_S
from billing_service.api.deadlines import REMAINING_MIN_MS, REMAINING_MIN_S, OverdueCalls
from billing_service.api.identity import Authenticator, Identity
from billing_service.api.metrics import CallMetrics
from billing_service.api.outcome import Outcome
from billing_service.domain.access.api_keys import Scope
from billing_service.domain.refusals import Refusal, invalid_field
from billing_service.domain.refusals.access import account_not_allowed, scope_missing
from billing_service.domain.refusals.serving import deadline_too_short

REQUEST_BYTES_MAX: Final = 65_536
"""Ordinary requests are a few hundred bytes; metadata at its limits takes 27 KiB."""
RESPONSE_BYTES_MAX: Final = 1_048_576
"""Only a page of a list can be larger; its reader gets a smaller one by asking for fewer. A batch has its own limit."""


class Call:
    """What an implementation may know about the call it serves."""

    __slots__ = (
        "_correlation_id",
        "account_ids",
        "caller",
        "context",
        "deadline",
        "did",
        "edge",
        "key_id",
        "method",
        "peer",
        "request",
        "scopes",
        "spender_ids",
    )

    peer: str
    """Where the call came from, such as `ipv4:127.0.0.1:40718`. Read at the start: what goes on after its caller has
    gone must not ask gRPC about a call that is no more, which can end the process."""
    request: Message | None
    """Decoded; None before that, and for a stream."""
    did: Mapping[str, object]
    """What was noted for the log."""
    caller: str
    """Name of the caller; scopes idempotency keys."""
    scopes: frozenset[Scope]
    """Effective scopes: an admin has all."""
    key_id: str
    """Public id of the API key; empty for certificates and in local mode."""
    account_ids: frozenset[str]
    """The accounts that the API key is bound to; empty: it may act on all."""
    spender_ids: tuple[str, ...]
    """The spenders that the API key is bound to."""
    edge: "Edge"
    """What its server shares, for methods that answer many questions in one call."""
    deadline: float
    """When the call ends, in seconds of time.monotonic(): the caller's deadline or the service's own, whichever is
    earlier."""

    def __init__(self, method: str, context: Any) -> None:
        self.method = method
        self.context = context
        self.peer = str(context.peer())
        self._correlation_id: str | None = None
        self.caller = ""
        self.key_id = ""
        self.account_ids = _ALL_ACCOUNTS
        self.spender_ids = ()
        self.request: Message | None = None
        self.did: Mapping[str, object] = _NOTHING

    @property
    def remaining_s(self) -> float:
        """Seconds left, 0 when there are none."""
        return max(0.0, self.deadline - monotonic())

    @property
    def correlation_id(self) -> str:
        """The caller's `x-request-id` where it sent a sane one, else the id of its trace, else a random one; for the
        whole call."""
        if self._correlation_id is None:
            self._correlation_id = request_id(self._header(REQUEST_ID_HEADER), self._header(TRACE_HEADER))
        return self._correlation_id

    @property
    def trace_id(self) -> str:
        """The id in the caller's W3C `traceparent`; empty without a sane one."""
        return trace_id(self._header(TRACE_HEADER))

    def identify(self, identity: Identity) -> None:
        """Says who calls."""
        self.caller, self.scopes, self.key_id = identity.caller, identity.scopes, identity.key_id
        self.account_ids, self.spender_ids = identity.account_ids, identity.spender_ids

    def require_account(self, account_id: str) -> None:
        """Raises ACCOUNT_NOT_ALLOWED where the API key is bound to other accounts."""
        if self.account_ids and account_id not in self.account_ids:
            raise account_not_allowed()

    def note(self, did: Mapping[str, object]) -> None:
        """What the call did beyond what its answer says, for its line in the log: ids, statuses, amounts, names of
        fields."""
        self.did = {**self.did, **did}

    def _header(self, wanted: str) -> str:
        return next((value for name, value in self.context.invocation_metadata() or () if name == wanted), "")


_ALL_ACCOUNTS: Final[frozenset[str]] = frozenset()
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})

Implementation: TypeAlias = Callable[[Any, Call], Awaitable[Message | bytes]]
"""Takes the decoded request; answers with a message, or with bytes that are one already. Says no by raising Refused."""
Serve: TypeAlias = Callable[[bytes, Call, Identity], Awaitable[Message | bytes]]


@dataclass(slots=True)
class Edge:
    """What all methods of a server share."""

    authenticator: Authenticator
    admission: Admission
    metrics: CallMetrics
    overdue: OverdueCalls
    log: Any
    """A structlog logger."""
    log_successes_of_hot_methods: bool = False
    """Whether the log's level is DEBUG."""


def required_scope(method: MethodDescriptor) -> Scope:
    """The scope that the proto declares for a method. ValueError without one: nothing is open by oversight."""
    scope = method.GetOptions().Extensions[scopes_pb2.required_scope]
    if scope == scopes_pb2.SCOPE_UNSPECIFIED:
        raise ValueError(f"{method.full_name} declares no required_scope")
    return Scope(scopes_pb2.Scope.Name(scope).removeprefix("SCOPE_").lower())


def build_handler(
    method: MethodDescriptor,
    implementation: Implementation,
    edge: Edge,
    *,
    request_bytes_max: int = REQUEST_BYTES_MAX,
    response_bytes_max: int = RESPONSE_BYTES_MAX,
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """The handler of one unary method, to be registered as it is. ValueError for a method that can't be served."""
    if method.client_streaming or method.server_streaming:
        raise ValueError(f"{method.full_name} is a streaming method")
    scope = required_scope(method)
    parse, bound = GetMessageClass(method.input_type).FromString, for_bound_keys(method, implementation)

    def serve(raw: bytes, call: Call, identity: Identity) -> Awaitable[Message | bytes]:
        call.identify(identity)
        call.edge = edge
        if scope not in identity.scopes:
            raise scope_missing(scope.value)
        if len(raw) > request_bytes_max:
            raise invalid_field("request", f"{len(raw)} bytes; at most {request_bytes_max} are taken")
        try:
            call.request = request = parse(raw)
        except DecodeError:
            raise invalid_field("request", "the bytes are no message of this type, or a string is not UTF-8") from None
        return (bound if identity.account_ids else implementation)(request, call)

    named = serve if method.name in HOT_METHODS else _named(serve)
    return grpc.unary_unary_rpc_method_handler(_compose(named, Outcome(method, edge), edge, response_bytes_max))


def _named(serve: Serve) -> Serve:
    """The same, and all that is logged meanwhile has the call's correlation id."""

    async def named(raw: bytes, call: Call, identity: Identity) -> Message | bytes:
        with bound_contextvars(correlation_id=call.correlation_id):
            return await serve(raw, call, identity)

    return named


def _compose(
    serve: Serve, outcome: Outcome, edge: Edge, response_bytes_max: int
) -> Callable[[bytes, Any], Awaitable[bytes]]:
    name, counts = outcome.name, outcome.counts
    log, logs_successes = outcome.log, outcome.log.logs_successes
    admission, overdue, limit_s = edge.admission, edge.overdue, edge.overdue.limit_s
    recognise, authenticate = edge.authenticator.recognise, edge.authenticator.authenticate

    async def handle(raw: bytes, context: Any) -> bytes:
        started = monotonic()
        counts.started += 1
        call = Call(name, context)
        was_overdue = False
        try:
            remaining = context.time_remaining()
            if remaining is not None and remaining < REMAINING_MIN_S:
                # Inlined: a call more costs more than the check.
                raise deadline_too_short(REMAINING_MIN_MS)  # noqa: TRY301
            if admission.in_flight >= admission.in_flight_max:
                raise admission.refuse()  # noqa: TRY301 - same
            admission.in_flight += 1
            watched = None
            try:
                if remaining is None or remaining > limit_s:
                    call.deadline = started + limit_s
                    watched = asyncio.current_task()
                    overdue.watch(watched, started)
                else:
                    call.deadline = started + remaining
                response = await serve(raw, call, recognise(context) or await authenticate(context))
                answer = response if response.__class__ is bytes else response.SerializeToString()  # type: ignore[union-attr]
                if len(answer) > response_bytes_max:
                    raise _page_too_large()
            finally:
                admission.in_flight -= 1
                if watched is not None:
                    was_overdue = overdue.forget(watched)
        except BaseException as error:  # noqa: BLE001 - the outermost layer: whatever happened, the caller gets a definite status
            return await outcome.refuse(call, error, monotonic() - started, was_overdue=was_overdue)
        seconds = monotonic() - started
        counts.ok += 1
        counts.observe(seconds)
        if logs_successes or seconds >= SLOW_S:
            log.succeeded(call, seconds, answer)
        return answer

    return handle


def _page_too_large() -> Refusal:
    return invalid_field("page_size", f"the page has more than {RESPONSE_BYTES_MAX} bytes; ask for fewer")
