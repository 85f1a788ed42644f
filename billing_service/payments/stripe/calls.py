"""Calls to Stripe's API: one client, how long a call may take, and what an error of the SDK means.

The SDK is loaded by the first call, in a thread: that takes a third of a second and 16 MiB. A process that only deducts
never calls.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from billing_service.payments.ports.outcomes import ProviderKeyRefused, ProviderRefused, ProviderUnavailable

if TYPE_CHECKING:
    import stripe

    from billing_service.payments.stripe.http import Transport

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
        self._api_key, self._api_base, self._proxy = api_key, api_base, proxy
        self._attempt_timeout_s, self._call_timeout_s = attempt_timeout_s, call_timeout_s
        self._sdk: _Sdk | None = None
        self._loading = asyncio.Lock()
        self.calls: Counter[tuple[str, str]] = Counter()
        """Calls that ended, by operation and how: `ok`, `refused` by Stripe, `key_refused`, or `unavailable`."""

    async def close(self) -> None:
        if self._sdk is not None:
            await self._sdk.transport.close_async()

    async def _answer(self, operation: str, ask: Callable[["stripe.StripeClient"], Awaitable[Answer]]) -> Answer:
        sdk = await self._loaded()
        try:
            async with asyncio.timeout(self._call_timeout_s):
                answer = await ask(sdk.client)
        except Exception as error:
            # The port promises two errors and no other: whatever breaks between here and Stripe leaves the outcome
            # unknown.
            meaning = sdk.translated(operation, error)
            self.calls[operation, _how_it_ended(meaning)] += 1
            raise meaning from error
        self.calls[operation, "ok"] += 1
        return answer

    async def _loaded(self) -> "_Sdk":
        if self._sdk is None:
            async with self._loading:
                if self._sdk is None:
                    self._sdk = await asyncio.to_thread(self._load)
        return self._sdk

    def _load(self) -> "_Sdk":
        import stripe

        from billing_service.payments.stripe.errors import translated
        from billing_service.payments.stripe.http import Transport, without_user

        # A switch of the whole SDK: otherwise it sends timings of earlier calls and writes an id into the home
        # directory.
        stripe.enable_telemetry = False
        transport = Transport(timeout_s=self._attempt_timeout_s, proxy=self._proxy)
        base = self._api_base
        client = stripe.StripeClient(
            self._api_key,
            base_addresses={"api": base, "files": base, "connect": base, "meter_events": base} if base else None,
            max_network_retries=NETWORK_RETRIES_MAX,
            http_client=transport,
        )
        through = without_user(self._proxy) if self._proxy else None
        return _Sdk(client, transport, lambda operation, error: translated(operation, error, through))


class _Sdk(NamedTuple):
    """What calls need of the SDK."""

    client: "stripe.StripeClient"
    transport: "Transport"
    translated: Callable[[str, Exception], ProviderRefused | ProviderUnavailable]


def _how_it_ended(meaning: ProviderRefused | ProviderUnavailable) -> str:
    if isinstance(meaning, ProviderRefused):
        return "refused"
    return "key_refused" if isinstance(meaning, ProviderKeyRefused) else "unavailable"
