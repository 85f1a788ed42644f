"""Runs the gateway on a port."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
from aiohttp import web, web_response
from billing_client import AsyncBillingClient

from webhook_gateway.app import CONNECTIONS, EventService, create_app
from webhook_gateway.config import GatewayConfig
from webhook_gateway.metrics import SERVER

LINGERING_S = 2.0
"""How long what is left of a refused body is read away, so that the sender sees the answer instead of a reset."""
BACKLOG = 512

log = structlog.get_logger("webhook_gateway")

# aiohttp names its own version and Python's in every answer, also in those that no handler makes.
web_response.SERVER_SOFTWARE = SERVER  # type: ignore[attr-defined]


@asynccontextmanager
async def serve_gateway(
    config: GatewayConfig,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    service: EventService | None = None,
    listener: socket.socket | None = None,
) -> AsyncIterator[str]:
    """Serve until the block ends, which first lets the requests in flight finish; yields the base URL.

    Port 0 lets the system choose. `listener` is bound already, in place of host and port, and closed at the end.
    `service` replaces the client for `config.billing`. OSError when the port is taken.
    """
    async with AsyncExitStack() as stack:
        if service is None:
            service = await stack.enter_async_context(AsyncBillingClient.from_options(config.billing))
        app = create_app(config, service)
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_http_logger(),
            auto_decompress=False,
            # The guard's own deadlines come first: aiohttp's would also cut a request whose first half has arrived.
            keepalive_timeout=config.keepalive_timeout_s + config.receive_timeout_s,
            lingering_time=LINGERING_S,
            shutdown_timeout=config.receive_timeout_s + config.forward_timeout_s,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = _GuardedSite(runner, app, host, port, listener)
        await site.start()
        yield site.name


def _http_logger() -> logging.Logger:
    """What aiohttp reports about requests that it can't parse, for our own log."""
    # One of its own: no handler but this one.
    logger = logging.Logger("webhook_gateway.http", level=logging.WARNING)  # noqa: LOG001
    logger.addHandler(_WithoutContent())
    return logger


class _WithoutContent(logging.Handler):
    """aiohttp logs the bytes that it could not parse, which are headers or body of a request; only the kind of error is
    kept."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        log.info("http_error", message=str(record.msg), error=kind)


class _GuardedSite(web.BaseSite):
    """A TCP site whose connections pass the application's guard."""

    __slots__ = ("_app", "_host", "_listener", "_port")

    def __init__(
        self, runner: web.AppRunner, app: web.Application, host: str, port: int, listener: socket.socket | None
    ) -> None:
        super().__init__(runner, backlog=BACKLOG)
        self._listener = listener
        self._app = app
        self._host = host
        self._port = port

    @property
    def name(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def start(self) -> None:
        await super().start()
        protocols = self._runner.server
        assert protocols is not None
        factory = self._app[CONNECTIONS].factory(protocols)
        loop = asyncio.get_running_loop()
        if self._listener is None:
            server = await loop.create_server(factory, self._host, self._port, backlog=self._backlog)
        else:
            server = await loop.create_server(factory, sock=self._listener, backlog=self._backlog)
        self._server = server
        self._port = server.sockets[0].getsockname()[1]
