"""The gRPC server: which services, on which port, under which limits, and how it ends."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from grpc_health.v1 import health_pb2_grpc
from prometheus_client import CollectorRegistry

from billing_service.api.admission import Admission
from billing_service.api.deadlines import OverdueCalls
from billing_service.api.health import SERVICE_NAME as HEALTH_SERVICE_NAME
from billing_service.api.health import HealthServicer, Readiness
from billing_service.api.identity import Authenticator
from billing_service.api.message_sizes import BY_METHOD, ORDINARY, RECEIVE_BYTES_MAX, SEND_BYTES_MAX
from billing_service.api.metrics import CallMetrics, HealthMetrics
from billing_service.api.pipeline import Edge, Implementation, build_handler
from billing_service.api.streams.balances import WatchImplementation, build_watch_handler
from billing_service.api.streams.event_feed import FeedImplementation, build_feed_handler
from billing_service.api.streams.parts import PartsImplementation, build_parts_handler
from billing_service.api.streams.session_implementation import SessionImplementation
from billing_service.api.streams.sessions import build_session_handler
from billing_service.api.streams.streaming import StreamImplementation, build_stream_handler
from billing_service.api.tls import TlsFiles, server_credentials

IDLE_POLL_S: Final = 0.05
IDLE_POLLS_MAX: Final = 10
"""In a row, and not a time: after a pause of the whole process, what came meanwhile has its turn first."""
CALL_TASK: Final = "_schedule_rpc_coro"
"""How gRPC names the task of a call that it handed over. The task exists from before the request has arrived until the
answer has left. Admission counts the time between."""
METADATA_BYTES_MAX: Final = 8_192
PENDING_CALLS_MAX: Final = 100_000
"""gRPC itself drops calls that wait to be begun, at random from 1,000 on and without a word; admission refuses them
with a reason instead."""
PING_INTERVAL_MIN_MS: Final = 60_000
"""A caller that pings more often loses its connection: GOAWAY with `too_many_pings`, to which gRPC lets us add
nothing."""
CONNECTION_AGE_MAX_S: Final = 1_800
"""Connections are made anew now and then, so that callers find new processes behind a balancer and new certificates."""
MUTUAL_CONNECTION_AGE_MAX_S: Final = 20
"""The same where callers are known by certificates. A connection is not checked again. Once an authority is no longer
trusted, its connections must end within a minute, calls in flight included."""


AnyImplementation: TypeAlias = Implementation | StreamImplementation[Any] | SessionImplementation | WatchImplementation


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the protos and what implements it, by method name."""

    descriptor: ServiceDescriptor
    implementations: Mapping[str, AnyImplementation]

    @classmethod
    def of(cls, descriptor: ServiceDescriptor, servicer: object) -> "Service":
        """`servicer` has an async method for each RPC, named in snake_case: `deduct_credits(request, call)`; an
        implementation of its own kind for one that streams."""
        implementations = {method.name: getattr(servicer, _snake_case(method.name)) for method in descriptor.methods}
        return cls(descriptor, implementations)


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Bounds of one server; the defaults are those of Settings."""

    in_flight_max: int = 1024
    streams_per_connection_max: int = 1000
    deadline_default_s: float = 30.0
    grace_s: float = 10.0
    drain_wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that listens. `port` is the one that it got."""

    server: grpc.aio.Server
    port: int
    edge: Edge
    health: HealthServicer
    readiness: Readiness
    limits: ServerLimits
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a stop is to wait for nothing."""

    async def stop(self, *, at_once: bool = False) -> None:
        """NOT_SERVING; time for balancers to notice; no new calls; calls in flight finish within the grace period,
        streams once they have answered what they read.

        `at_once` skips the waiting, also for a stop that is under way already. Calls that it cuts off are safe to
        repeat with their key.
        """
        self.edge.admission.draining = True
        self.health.drain()
        if at_once:
            self.hurry.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.hurry.wait(), self.limits.drain_wait_s)
        self.health.close()
        self.edge.admission.end_streams()
        await self._stop_grpc()
        await self.readiness.stop()
        self.edge.overdue.close()

    async def _stop_grpc(self) -> None:
        """Stops gRPC without waiting for calls that it keeps. Now and then gRPC never hands over a call that came as it
        began to stop. It waits for that call until the grace period is over, and so does the caller. Once all calls
        that were handed over have ended for a while, whatever is left is such a call. It is ended with a status that
        callers repeat."""
        if self.hurry.is_set():
            await self.server.stop(None)
            return
        stopping = asyncio.ensure_future(self.server.stop(self.limits.grace_s))
        idle_polls = 0
        while not (await asyncio.wait({stopping}, timeout=IDLE_POLL_S))[0]:
            idle_polls = 0 if self.edge.admission.in_flight or _calls_handed_over() else idle_polls + 1
            if idle_polls >= IDLE_POLLS_MAX:
                await self.server.stop(None)
        await stopping

    async def wait_closed(self) -> None:
        await self.server.wait_for_termination()


def _calls_handed_over() -> bool:
    return any(getattr(task.get_coro(), "__qualname__", "") == CALL_TASK for task in asyncio.all_tasks())


async def start_server(
    listen: str,
    services: Sequence[Service],
    *,
    authenticator: Authenticator,
    probe: Callable[[], Awaitable[None]],
    registry: CollectorRegistry,
    log: Any,
    limits: ServerLimits = ServerLimits(),
    tls: TlsFiles | None = None,
    reflection: bool = False,
    log_hot_calls: bool = False,
) -> RunningServer:
    """Listens on `listen` (`host:port`; port 0: the system chooses). Name the busiest service first: handlers are
    looked up in order.

    ValueError when a service does not fit its proto; RuntimeError when the address can't be had; OSError or
    ssl.SSLError when TLS files can't be used. Health is NOT_SERVING until `probe` first returns.
    """
    admission = Admission(limits.in_flight_max)
    edge = Edge(
        authenticator=authenticator,
        admission=admission,
        metrics=CallMetrics(registry, admission),
        overdue=OverdueCalls(limits.deadline_default_s),
        log=log,
        log_successes_of_hot_methods=log_hot_calls,
    )
    server = grpc.aio.server(options=_channel_options(limits, mutual_tls=tls is not None and tls.client_ca is not None))
    server.add_generic_rpc_handlers([_generic_handler(service, edge) for service in services])
    names = [service.descriptor.full_name for service in services]
    health = HealthServicer(names)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    if reflection:
        from grpc_reflection.v1alpha import reflection as server_reflection

        server_reflection.enable_server_reflection(
            [*names, HEALTH_SERVICE_NAME, server_reflection.SERVICE_NAME], server
        )
    port = (
        server.add_insecure_port(listen)
        if tls is None
        else server.add_secure_port(listen, server_credentials(tls, log))
    )
    await server.start()
    readiness = Readiness(health, probe, log)
    HealthMetrics(registry, health, readiness)
    readiness.start()
    return RunningServer(server, port, edge, health, readiness, limits)


def _generic_handler(service: Service, edge: Edge) -> grpc.GenericRpcHandler:
    methods = {method.name: method for method in service.descriptor.methods}
    if methods.keys() != service.implementations.keys():
        differing = sorted(methods.keys() ^ service.implementations.keys())
        raise ValueError(f"{service.descriptor.full_name}: proto and implementation differ in {', '.join(differing)}")
    handlers = {name: _handler(method, service.implementations[name], edge) for name, method in methods.items()}
    return grpc.method_handlers_generic_handler(service.descriptor.full_name, handlers)


def _handler(
    method: MethodDescriptor, implementation: AnyImplementation, edge: Edge
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    sizes = BY_METHOD.get(method.name, ORDINARY)
    if isinstance(implementation, SessionImplementation):
        return build_session_handler(method, implementation, edge)
    if isinstance(implementation, WatchImplementation):
        return build_watch_handler(method, implementation, edge)
    if isinstance(implementation, FeedImplementation):
        return build_feed_handler(method, implementation, edge)
    if isinstance(implementation, PartsImplementation):
        return build_parts_handler(method, implementation, edge)
    if isinstance(implementation, StreamImplementation):
        return build_stream_handler(method, implementation, edge, request_bytes_max=sizes.request_bytes_max)
    return build_handler(
        method,
        implementation,
        edge,
        request_bytes_max=sizes.request_bytes_max,
        response_bytes_max=sizes.response_bytes_max,
    )


def _channel_options(limits: ServerLimits, *, mutual_tls: bool) -> list[tuple[str, int]]:
    age_max_s = MUTUAL_CONNECTION_AGE_MAX_S if mutual_tls else CONNECTION_AGE_MAX_S
    return [
        ("grpc.max_receive_message_length", RECEIVE_BYTES_MAX),
        ("grpc.max_send_message_length", SEND_BYTES_MAX),
        ("grpc.max_concurrent_streams", limits.streams_per_connection_max),
        ("grpc.server.max_pending_requests", PENDING_CALLS_MAX),
        ("grpc.server.max_pending_requests_hard_limit", PENDING_CALLS_MAX),
        ("grpc.max_metadata_size", METADATA_BYTES_MAX),
        ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
        ("grpc.max_connection_age_ms", age_max_s * 1000),
        # Whatever is in flight then ends by its own deadline first.
        ("grpc.max_connection_age_grace_ms", round(limits.deadline_default_s * 1000) + 1000),
        ("grpc.http2.min_ping_interval_without_data_ms", PING_INTERVAL_MIN_MS),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # Linux would let a second process share the port in silence, and calls would go to either.
        ("grpc.so_reuseport", 0),
    ]


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
