"""Whether the service behind answers, asked at most once a second however often the page is read."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from webhook_gateway.answers import json_answer

FRESH_S = 1.0


class HealthPage:
    def __init__(self, ask: Callable[[], Awaitable[bool]], now_s: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._now_s = now_s
        self._asked_s = float("-inf")
        self._serving = False
        self._asking = asyncio.Lock()

    async def show(self, _request: web.Request) -> web.StreamResponse:
        """200 while the service says that it serves, 503 otherwise."""
        async with self._asking:
            if self._now_s() - self._asked_s >= FRESH_S:
                self._serving = await self._ask()
                self._asked_s = self._now_s()
        return json_answer(200, status="serving") if self._serving else json_answer(503, status="not_serving")
