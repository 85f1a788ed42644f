"""What a call that is answered in parts passes through: the steps of a unary call.

    errors → counts and log → deadline → admission → identity and scope → size and decoding → parts, until the last

The work goes on between two parts, at a pace that is not the caller's. So the time of a call is for each part's way to
the caller alone. A shutdown ends it between two parts, with the words to resume by.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, Final, Generic, TypeVar

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message

from billing_service.api.outcome import Outcome
from billing_service.api.pipeline import REQUEST_BYTES_MAX, Call, Edge, required_scope
from billing_service.api.streams.streaming import IDENTITY_CHECKED_EVERY_S, compose
from billing_service.domain.access.api_keys import Scope
from billing_service.domain.refusals import invalid_field
from billing_service.domain.refusals.access import scope_missing
from billing_service.domain.refusals.serving import shutting_down

Request = TypeVar("Request", bound=Message)

CALLS_MAX: Final = 4
"""Of one process: each may read much."""


@dataclass(frozen=True, slots=True)
class PartsImplementation(Generic[Request]):
    """What a call does that is answered in parts."""

    request_type: type[Request]
    parts: Callable[[Request, Call], AsyncGenerator[bytes, None]]
    """The answers, encoded. Raises INVALID_FIELD before the first."""


def build_parts_handler(
    method: MethodDescriptor, implementation: PartsImplementation[Any], edge: Edge
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """The handler of one method."""
    outcome = Outcome(method, edge)
    answered = _Answered(required_scope(method), implementation, edge)

    async def handle(raw: bytes, context: Any) -> None:
        await compose(partial(answered.serve, raw), outcome, edge)(None, context)

    return grpc.unary_stream_rpc_method_handler(handle)


class _Answered:
    """Calls of one method."""

    def __init__(self, scope: Scope, implementation: PartsImplementation[Any], edge: Edge) -> None:
        self._scope = scope
        self._implementation = implementation
        self._edge = edge

    async def serve(self, raw: bytes, call: Call, task: "asyncio.Task[Any]") -> None:
        edge, admission = self._edge, self._edge.admission
        edge.overdue.watch(task, monotonic())
        await self._identify(call)
        request = call.request = _decode(self._implementation.request_type, raw)
        call.require_account("")
        edge.overdue.forget(task)
        if admission.part_calls >= CALLS_MAX:
            raise admission.refuse()
        admission.in_flight -= 1  # it waits most of the time
        admission.part_calls += 1
        ending = asyncio.Event()
        end = ending.set
        admission.streams.add(end)
        if admission.streams_ended:  # while the caller was being identified
            ending.set()
        try:
            async with aclosing(self._implementation.parts(request, call)) as parts:
                await self._tell(parts, call, task, ending)
        finally:
            admission.streams.discard(end)
            admission.part_calls -= 1
            admission.in_flight += 1

    async def _tell(
        self, parts: AsyncGenerator[bytes, None], call: Call, task: "asyncio.Task[Any]", ending: asyncio.Event
    ) -> None:
        identity_due = monotonic() + IDENTITY_CHECKED_EVERY_S
        async for part in parts:
            self._edge.overdue.watch(task, monotonic())
            await call.context.write(part)
            if monotonic() >= identity_due:
                await self._identify(call)
                identity_due = monotonic() + IDENTITY_CHECKED_EVERY_S
            self._edge.overdue.forget(task)
            if ending.is_set():
                raise shutting_down("resume after the last part")

    async def _identify(self, call: Call) -> None:
        authenticator = self._edge.authenticator
        identity = authenticator.recognise(call.context) or await authenticator.authenticate(call.context)
        if self._scope not in identity.scopes:
            raise scope_missing(self._scope.value)
        call.identify(identity)


def _decode(request_type: type[Request], raw: bytes) -> Request:
    if len(raw) > REQUEST_BYTES_MAX:
        raise invalid_field("request", f"{len(raw)} bytes; at most {REQUEST_BYTES_MAX} are taken")
    try:
        return request_type.FromString(raw)
    except DecodeError:
        raise invalid_field("request", "the bytes are no message of this type, or a string is not UTF-8") from None
