"""Serving a sandbox: inside another program, or as a process of its own."""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address

from aiohttp import web, web_response

from billing_service.sandbox.app import create_app
from billing_service.sandbox.config import SandboxConfig, SandboxRefusedError, Switches, WebhookEndpoint

PORT_MAX = 65_535
PORT_DEFAULT = 12111
# aiohttp would name its own version and Python's in every answer.
web_response.SERVER_SOFTWARE = "billing"  # type: ignore[attr-defined]
SHUTDOWN_S = 0.5  # hanging requests are part of the play; they are not waited for


@asynccontextmanager
async def serve_sandbox(config: SandboxConfig, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serves until the block ends; yields the base url that callers use. Port 0: one that the system chooses.

    Raises OSError when the address can't be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    bound_port = listener.getsockname()[1]
    base_url = config.base_url.rstrip("/") or f"http://{_reachable(host)}:{bound_port}"
    runner = web.AppRunner(create_app(replace(config, base_url=base_url)), access_log=None, shutdown_timeout=SHUTDOWN_S)
    try:
        await runner.setup()
        await web.SockSite(runner, listener).start()
        yield base_url
    finally:
        await runner.cleanup()
        listener.close()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= PORT_MAX):
        raise argparse.ArgumentTypeError(f"must be a port from 0 to {PORT_MAX}")
    return int(text)


def _reachable(host: str) -> str:
    """An address for callers: a listener on all interfaces is reached over the loopback one."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1"
    return f"[{host}]" if address.version == 6 else host  # noqa: PLR2004 - IPv6


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m billing_service.sandbox`. Returns the exit code."""
    options = _parser(os.environ).parse_args(arguments)
    try:
        config = _config(options, os.environ)
    except SandboxRefusedError as refusal:
        sys.stderr.write(f"sandbox: refused to start: {refusal}\n")
        return 2
    try:
        asyncio.run(_serve_until_stopped(config, options.host, options.port))
    except OSError as error:
        sys.stderr.write(f"sandbox: can't listen on {options.host}:{options.port}: {error.strerror}\n")
        return 1
    return 0


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m billing_service.sandbox", description="A stand-in for Stripe on this machine."
    )
    parser.add_argument(
        "--host", default=environment.get("SANDBOX_HOST", "127.0.0.1"), help="address to listen on (SANDBOX_HOST)"
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=environment.get("SANDBOX_PORT", str(PORT_DEFAULT)),
        help="port, 0 for any (SANDBOX_PORT)",
    )
    parser.add_argument(
        "--base-url", default=environment.get("SANDBOX_BASE_URL", ""), help="where browsers reach it (SANDBOX_BASE_URL)"
    )
    parser.add_argument(
        "--webhook-url",
        default=environment.get("SANDBOX_WEBHOOK_URL", ""),
        help="where events go (SANDBOX_WEBHOOK_URL)",
    )
    parser.add_argument(
        "--webhook-secret", default="", help="whsec_… that signs them (STRIPE_WEBHOOK_SECRET; of several the first)"
    )
    parser.add_argument(
        "--settle-after",
        type=float,
        default=3.0,
        metavar="SECONDS",
        help="when delayed payments and refunds settle (3)",
    )
    parser.add_argument("--no-settle", action="store_true", help="delayed payments settle only by a control call")
    parser.add_argument("--duplicate", action="store_true", help="send every event twice")
    parser.add_argument("--reorder", action="store_true", help="send events that come together newest first")
    parser.add_argument("--delay", type=float, default=0.0, metavar="SECONDS", help="wait before sending an event")
    return parser


def _config(options: argparse.Namespace, environment: Mapping[str, str]) -> SandboxConfig:
    endpoints: tuple[WebhookEndpoint, ...] = ()
    if options.webhook_url:
        given = options.webhook_secret or _first(environment, "STRIPE_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET_CREDITS")
        secret = given.split(",")[0].strip()
        endpoints = (WebhookEndpoint(options.webhook_url, secret),)
    return SandboxConfig(
        base_url=options.base_url,
        secret_key=_first(environment, "STRIPE_SECRET_KEY", "STRIPE_API_KEY"),
        webhook_endpoints=endpoints,
        switches=Switches(duplicate=options.duplicate, delay_s=options.delay, reorder=options.reorder),
        settlement_delay_s=None if options.no_settle else options.settle_after,
    )


def _first(environment: Mapping[str, str], *names: str) -> str:
    """The value of the first of these names that has one."""
    return next(filter(None, (environment.get(name) for name in names)), "")


async def _serve_until_stopped(config: SandboxConfig, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    async with serve_sandbox(config, host, port) as base_url:
        sys.stdout.write(_greeting(base_url, config))
        sys.stdout.flush()
        await stopped.wait()


def _greeting(base_url: str, config: SandboxConfig) -> str:
    targets = (
        ", ".join(endpoint.url for endpoint in config.webhook_endpoints)
        or "nowhere (start with --webhook-url and --webhook-secret)"
    )
    return (
        f"The sandbox stands in for Stripe at {base_url}\n"
        f"  SDK      stripe.StripeClient(key, base_addresses={{'api': '{base_url}'}}) with any sk_test_ key\n"
        f"  events   go to {targets}\n"
        f"  trigger  stripe trigger checkout.session.completed --api-key sk_test_… --api-base {base_url}\n"
        f"  state    {base_url}/_sandbox/state\n"
        "  cards    4242 4242 4242 4242 pays; 4000 0000 0000 0002 is declined; 4000 0027 6000 3184 asks for 3-D "
        "Secure\n"
        "Ctrl-C stops it; it forgets everything.\n"
    )
