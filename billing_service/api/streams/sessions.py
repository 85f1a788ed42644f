"""What every stream of a session passes through: the steps of a unary call.

    errors → counts and log → deadline → admission → identity and scope → (`session_stream`)

A session lasts as long as a model call, and waits for its owner most of the time. So it is no call in flight; sessions
have a bound of their own.
"""

import asyncio
from time import monotonic
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor

from billing_service.api.outcome import Outcome
from billing_service.api.pipeline import Call, Edge, required_scope
from billing_service.api.streams.session_implementation import SessionImplementation
from billing_service.api.streams.session_stream import SessionStream
from billing_service.api.streams.streaming import compose
from billing_service.domain.refusals.access import scope_missing

SESSIONS_MAX: Final = 10_000
"""Live sessions of one process: a few kilobytes each."""


def build_session_handler(
    method: MethodDescriptor, implementation: SessionImplementation, edge: Edge
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """The handler of MeterSession."""
    scope = required_scope(method)

    async def identify(call: Call) -> None:
        identity = edge.authenticator.recognise(call.context) or await edge.authenticator.authenticate(call.context)
        if scope not in identity.scopes:
            raise scope_missing(scope.value)
        call.identify(identity)

    async def serve(call: Call, task: "asyncio.Task[Any]") -> None:
        edge.overdue.watch(task, monotonic())
        await identify(call)
        edge.overdue.forget(task)
        if implementation.live >= SESSIONS_MAX:
            raise edge.admission.refuse()
        edge.admission.in_flight -= 1  # it waits for its owner most of the time
        implementation.live += 1
        try:
            await call.context.send_initial_metadata(())
            await SessionStream(call, task, implementation, identify).run()
        finally:
            implementation.live -= 1
            edge.admission.in_flight += 1

    return grpc.stream_stream_rpc_method_handler(compose(serve, Outcome(method, edge), edge))
