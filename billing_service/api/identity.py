"""Who is calling, and what they may do. Decided before anything is looked up, so that no answer reveals what exists.

A caller's name scopes its idempotency keys. A certificate and an API key of the same name are the same caller, which is
how one moves from one to the other.
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from billing_service.domain.access.api_keys import ApiKey, Scope, effective_scopes, hash_key, key_id_of
from billing_service.domain.refusals.access import api_key_invalid

CACHE_S = 5.0
"""How long a key is trusted without a look: a revocation acts within this time, half of what is promised."""
CACHE_KEYS_MAX = 4096
"""Bound on whatever is remembered by key: what callers send must not fill the memory."""
USE_NOTED_EVERY_US = 60_000_000
"""The last use of a key is kept to the minute."""
"""One text for missing, malformed, unknown, expired and revoked: the differences would help nobody but a thief."""

_NO_HASH = bytes(32)

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Identity:
    """A recognised caller. `scopes` are effective: ADMIN has been replaced by all that it implies."""

    caller: str
    scopes: frozenset[Scope]
    key_id: str = ""
    account_ids: frozenset[str] = frozenset()
    """The accounts that its key is bound to; empty: it may act on all."""
    spender_ids: tuple[str, ...] = ()
    """The spenders that all its charges count for."""


class Peer(Protocol):
    """The part of grpc.aio.ServicerContext that identity is read from."""

    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]] | None: ...
    def auth_context(self) -> Mapping[str, Iterable[bytes]]: ...


class Authenticator(Protocol):
    def recognise(self, peer: Peer) -> Identity | None:
        """The identity, where it is known without waiting: the path of all but one call in thousands."""

    async def authenticate(self, peer: Peer) -> Identity:
        """The identity, whatever it takes. Raises Refusal API_KEY_INVALID."""


class LocalAuthenticator:
    """Everybody is `local` and may do everything: for one machine without keys, when settings say so in as many
    words."""

    def __init__(self) -> None:
        self._identity = Identity("local", frozenset(Scope))

    def recognise(self, peer: Peer) -> Identity:
        del peer
        return self._identity

    async def authenticate(self, peer: Peer) -> Identity:
        del peer
        return self._identity


class CallerAuthenticator:
    """Recognises API keys (`authorization: Bearer bill_…`) and client certificates.

    A call that brings an authorization is judged by it alone; one without is judged by its certificate, if any. Of a
    certificate, the first subject alternative name counts that settings know; the common name only where there are no
    alternative names.
    """

    def __init__(
        self,
        *,
        pepper: bytes,
        find_api_key: Callable[[str], Awaitable[ApiKey | None]],
        note_use: Callable[[str, int], None],
        now_us: Callable[[], int],
        certificate_callers: Mapping[str, frozenset[Scope]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`find_api_key` reads a key by its id; `note_use(key_id, when_us)` must return at once; `now_us` is the wall
        clock."""
        self._pepper = pepper
        self._find_key = find_api_key
        self._note_use = note_use
        self._now_us = now_us
        self._monotonic = monotonic
        self._certificate_callers = {
            name.encode(): Identity(name, effective_scopes(scopes))
            for name, scopes in (certificate_callers or {}).items()
        }
        self._recognised: dict[str, tuple[float, Identity]] = {}
        self._found: dict[str, tuple[float, ApiKey | None]] = {}
        self._lookups: dict[str, asyncio.Task[tuple[float, ApiKey | None]]] = {}
        self._noted_us: dict[str, int] = {}

    def recognise(self, peer: Peer) -> Identity | None:
        # Python compares strings only after their keyed 64-bit hashes are equal, so the time of this look-up reveals
        # nothing of a key.
        for name, value in peer.invocation_metadata() or ():
            if name == "authorization":
                known = self._recognised.get(value)  # type: ignore[arg-type]  # only "-bin" keys have bytes
                return known[1] if known is not None and known[0] > self._monotonic() else None
        return None

    async def authenticate(self, peer: Peer) -> Identity:
        given = [value for name, value in peer.invocation_metadata() or () if name == "authorization"]
        if not given:
            return self._identity_of_certificate(peer)
        authorization = given[0]
        if len(given) > 1 or not isinstance(authorization, str):
            raise api_key_invalid()
        scheme, _, text = authorization.partition(" ")
        key_id = key_id_of(text) if scheme.lower() == "bearer" else None
        if key_id is None:
            raise api_key_invalid()
        trusted_until, identity = await self._identity_of_key(key_id, text)
        _remember(self._recognised, authorization, (trusted_until, identity))
        return identity

    async def _identity_of_key(self, key_id: str, text: str) -> tuple[float, Identity]:
        """The identity, and until when (monotonic seconds) it holds."""
        # An unknown id is looked up, remembered, hashed and compared like a known one: the time taken does not reveal
        # which ids exist.
        trusted_until, key = await self._look_up(key_id)
        matches = hmac.compare_digest(hash_key(self._pepper, text), _NO_HASH if key is None else key.secret_hash)
        now_us = self._now_us()
        if key is None or not matches or not key.is_live(now_us):
            raise api_key_invalid()
        if abs(now_us - self._noted_us.get(key_id, now_us - USE_NOTED_EVERY_US)) >= USE_NOTED_EVERY_US:
            _remember(self._noted_us, key_id, now_us)
            self._note_use(key_id, now_us)
        if key.expire_time_us is not None:
            trusted_until = min(trusted_until, self._monotonic() + (key.expire_time_us - now_us) / 1e6)
        return trusted_until, Identity(
            key.caller, effective_scopes(key.scopes), key_id, frozenset(key.account_ids), key.spender_ids
        )

    async def _look_up(self, key_id: str) -> tuple[float, ApiKey | None]:
        """One look-up for all calls that wait for the same key; it goes on when the first of them hangs up."""
        found = self._found.get(key_id)
        if found is not None and found[0] > self._monotonic():
            return found
        lookup = self._lookups.get(key_id)
        if lookup is None:
            lookup = asyncio.ensure_future(self._read_key(key_id))
            self._lookups[key_id] = lookup
        return await asyncio.shield(lookup)

    async def _read_key(self, key_id: str) -> tuple[float, ApiKey | None]:
        trusted_until = self._monotonic() + CACHE_S  # from before the read: what it returns may be that old
        try:
            found = (trusted_until, await self._find_key(key_id))
        finally:
            del self._lookups[key_id]
        _remember(self._found, key_id, found)
        return found

    def _identity_of_certificate(self, peer: Peer) -> Identity:
        properties = peer.auth_context() if self._certificate_callers else {}
        names = properties.get("x509_subject_alternative_name") or properties.get("x509_common_name") or ()
        for name in names:
            identity = self._certificate_callers.get(name)
            if identity is not None:
                return identity
        raise api_key_invalid()


def _remember(cache: dict[str, V], key: str, value: V) -> None:
    cache.pop(key, None)
    if len(cache) >= CACHE_KEYS_MAX:
        del cache[next(iter(cache))]
    cache[key] = value
