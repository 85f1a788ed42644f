"""Bounds every connection in time and number. aiohttp itself waits for a body for ever.

    opened ──► RECEIVING ──► HANDLING ──► IDLE ──► RECEIVING …

Each phase has its deadline; past it the connection is cut.
"""

import asyncio
import ipaddress
import logging
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

import structlog
from aiohttp import web

from webhook_gateway.config import GatewayConfig
from webhook_gateway.metrics import CONNECTIONS_CUT

HANDLING_MARGIN_S = 5.0
"""The forward has its own deadline; this cuts a peer that does not take its answer."""
IPV6_PREFIX_BITS = 64
"""One subscriber holds a whole /64."""

log = structlog.get_logger("webhook_gateway")


class Phase(StrEnum):
    RECEIVING = "receiving"
    HANDLING = "handling"
    IDLE = "idle"


class ConnectionGuard:
    """All open connections of one listener."""

    def __init__(self, config: GatewayConfig) -> None:
        self.limits_s = {
            Phase.RECEIVING: config.receive_timeout_s,
            Phase.HANDLING: config.forward_timeout_s + HANDLING_MARGIN_S,
            Phase.IDLE: config.keepalive_timeout_s,
        }
        self._connections_max = config.connections_max
        self._per_peer_max = config.connections_per_peer_max
        self._by_transport: dict[asyncio.BaseTransport | None, GuardedConnection] = {}
        self._by_peer: Counter[str] = Counter()

    def factory(self, make_protocol: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """The protocol factory for the event loop's server, around aiohttp's own."""
        return lambda: GuardedConnection(self, make_protocol)

    def enter(self, request: web.Request, phase: Phase) -> None:
        """The request's connection is in another phase from now on. A connection that is gone already is nobody's
        business."""
        connection = self._by_transport.get(request.transport)
        if connection is not None:
            connection.enter(phase)

    def admit(self, connection: "GuardedConnection", transport: asyncio.BaseTransport, peer: str) -> bool:
        if len(self._by_transport) >= self._connections_max or self._by_peer[peer] >= self._per_peer_max:
            return False
        self._by_transport[transport] = connection
        self._by_peer[peer] += 1
        return True

    def release(self, transport: asyncio.BaseTransport, peer: str) -> None:
        del self._by_transport[transport]
        self._by_peer[peer] -= 1
        if not self._by_peer[peer]:
            del self._by_peer[peer]

    @property
    def open_count(self) -> int:
        return len(self._by_transport)


class GuardedConnection(asyncio.Protocol):
    """The layer between the transport and aiohttp's protocol of one connection."""

    def __init__(self, guard: ConnectionGuard, make_protocol: Callable[[], asyncio.Protocol]) -> None:
        self._guard = guard
        self._make_protocol = make_protocol
        self._protocol: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._peer = ""
        self._phase = Phase.RECEIVING
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peer = _peer_of(transport)
        if not self._guard.admit(self, transport, self._peer):
            CONNECTIONS_CUT.labels("over_limit").inc()
            transport.abort()
            return
        self._protocol = self._make_protocol()
        self.enter(Phase.RECEIVING)
        self._protocol.connection_made(transport)

    def enter(self, phase: Phase) -> None:
        """Start the phase's deadline; one that was entered before keeps the deadline it has, whatever trickles in."""
        if phase is self._phase and self._deadline is not None:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._phase = phase
        self._deadline = asyncio.get_running_loop().call_later(self._guard.limits_s[phase], self._cut)

    def _cut(self) -> None:
        assert self._transport is not None
        CONNECTIONS_CUT.labels(self._phase.value).inc()
        # A connection that is kept open and used no more is how every sender ends.
        log.log(
            logging.DEBUG if self._phase is Phase.IDLE else logging.INFO,
            "connection_cut",
            phase=self._phase.value,
            peer=self._peer,
        )
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._protocol is None:
            return
        if self._phase is Phase.IDLE:
            self.enter(Phase.RECEIVING)
        self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received() if self._protocol is not None else None

    def pause_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._protocol is None:
            return
        assert self._transport is not None
        if self._deadline is not None:
            self._deadline.cancel()
        self._guard.release(self._transport, self._peer)
        self._protocol.connection_lost(exc)


def _peer_of(transport: asyncio.Transport) -> str:
    name = transport.get_extra_info("peername")
    if not isinstance(name, tuple):
        return "local"
    address = ipaddress.ip_address(str(name[0]).partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_PREFIX_BITS), strict=False))
    return str(address)
