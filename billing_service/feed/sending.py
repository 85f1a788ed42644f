"""One request to the receiver's endpoint."""

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiohttp import ClientSession

ANSWER_BYTES_MAX: Final = 4_096
"""Read of an answer, so that its connection can be used again. Nothing in it counts."""
OK_STATUSES: Final = range(200, 300)
CONNECTIONS_MAX: Final = 8


class Sender:
    """Requests over a few connections. Follows no redirect, reads no environment, and keeps no cookie."""

    def __init__(self, url: str, *, timeout_s: float, proxy: str | None) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._proxy = proxy
        self._session: ClientSession | None = None

    async def send(self, body: bytes, headers: dict[str, str]) -> str:
        """Empty when the receiver took it; else what went wrong, in words without its answer."""
        import aiohttp  # of deployments with an endpoint alone: serving loads no client

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._session.post(
                    self._url, data=body, headers=headers, allow_redirects=False, proxy=self._proxy
                ) as answer,
            ):
                await answer.content.read(ANSWER_BYTES_MAX)
                if not answer.content.at_eof():
                    answer.close()
                return "" if answer.status in OK_STATUSES else f"status {answer.status}"
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as failed:
            return type(failed).__name__

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
