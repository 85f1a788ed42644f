"""How the SDK's requests travel: over httpx, in one event loop, through the proxy that is named and through no other.

The SDK's own httpx transport can't be used for that. Its `proxy=` makes every request fail, since httpx no longer takes
a proxy with a request. Without it, httpx reads the environment, and sends requests to this machine through a proxy too.
In a second event loop its client sends, and then reports a broken connection.
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
import stripe


@cache
def _authorities(file: str) -> ssl.SSLContext:
    """Those of the SDK. Reading them takes 25 ms, once a process."""
    return ssl.create_default_context(cafile=file)


class WrongLoopError(RuntimeError):
    """A provider was used in another event loop than before. Nothing was sent."""


class Transport(stripe.HTTPClient):
    """The SDK's requests over one pool of connections. Belongs to the event loop of its first request."""

    name = "httpx"

    def __init__(self, *, timeout_s: float, proxy: str | None) -> None:
        """`timeout_s` bounds each wait for the network. `proxy`: its URL, with user and password where it asks for
        them."""
        super().__init__()
        self._client = httpx.AsyncClient(
            verify=_authorities(stripe.ca_bundle_path),
            timeout=timeout_s,
            proxy=proxy,
            trust_env=False,
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Body, status and headers of the answer. stripe.APIConnectionError without one; WrongLoopError before
        sending."""
        self._stay_in_one_loop()
        try:
            answer = await self._client.request(method, url, headers=headers, content=post_data or None)
        except httpx.HTTPError as broken:
            words = f"{type(broken).__name__}: {broken}"
            # The SDK's own.
            raise stripe.APIConnectionError(words, should_retry=True) from broken  # type: ignore[no-untyped-call]
        return answer.content, answer.status_code, answer.headers

    async def sleep_async(self, secs: float) -> None:
        """Between two attempts."""
        await asyncio.sleep(secs)

    async def close_async(self) -> None:
        """Ends the connections."""
        await self._client.aclose()

    def _stay_in_one_loop(self) -> None:
        """Connections belong to the loop that made them. In another one a request may be executed, and its answer
        lost."""
        here = asyncio.get_running_loop()
        self._loop = self._loop or here
        if self._loop is not here:
            raise WrongLoopError("Stripe's client was used in another event loop before; nothing was sent")


def without_user(proxy: str) -> str:
    """The proxy's address without user and password."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
