"""Calls to Stripe's API: one client, how long a call may take, and what an error of the SDK means.

The SDK is imported when a client is made: the import takes a third of a second.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

from billing_service.payments.ports.outcomes import ProviderKeyRefused, ProviderRefused, ProviderUnavailable

if TYPE_CHECKING:
    pass

Answer = TypeVar("Answer")

NETWORK_RETRIES_MAX = 2
"""Made by the SDK itself, under the same idempotency key."""


class StripeCalls:
    """What each capability's calls go through.

    `attempt_timeout_s` bounds each wait for the network within one attempt, `call_timeout_s` the whole call with its
    retries. `api_base` is the address of a stand-in for Stripe, such as `http://127.0.0.1:18420`; None is Stripe
    itself. `proxy` is the URL of the forward proxy on the way, with user and password where it asks for them; None: a
    direct connection, whatever the environment says. Used in one event loop; in another one its calls fail before
    anything is sent.
    """

    def __init__(
        self,
        api_key: str,
        *,
        api_base: str | None = None,
        attempt_timeout_s: float = 8.0,
        call_timeout_s: float = 20.0,
        proxy: str | None = None,
    ) -> None:
        import stripe

        from billing_service.payments.stripe.errors import translated
        from billing_service.payments.stripe.http import Transport, without_user

        # A switch of the whole SDK: otherwise it sends timings of earlier calls and writes an id into the home
        # directory.
        stripe.enable_telemetry = False
        self._http = Transport(timeout_s=attempt_timeout_s, proxy=proxy)
        self._proxy = without_user(proxy) if proxy else None
        self._client: stripe.StripeClient = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base, "files": api_base, "connect": api_base, "meter_events": api_base}
            if api_base
            else None,
            max_network_retries=NETWORK_RETRIES_MAX,
            http_client=self._http,
        )
        self._call_timeout_s = call_timeout_s
        self.calls: Counter[tuple[str, str]] = Counter()
        """Calls that ended, by operation and how: `ok`, `refused` by Stripe, `key_refused`, or `unavailable`."""
        self._translated = translated

    async def close(self) -> None:
        await self._http.close_async()

    async def _answer(self, operation: str, call: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(self._call_timeout_s):
                answer = await call
        except Exception as error:
            # The port promises two errors and no other: whatever breaks between here and Stripe leaves the outcome
            # unknown.
            meaning = self._translated(operation, error, self._proxy)
            self.calls[operation, _how_it_ended(meaning)] += 1
            raise meaning from error
        self.calls[operation, "ok"] += 1
        return answer


def _how_it_ended(meaning: ProviderRefused | ProviderUnavailable) -> str:
    if isinstance(meaning, ProviderRefused):
        return "refused"
    return "key_refused" if isinstance(meaning, ProviderKeyRefused) else "unavailable"
