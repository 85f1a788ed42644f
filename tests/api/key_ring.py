"""Keys and callers for the tests of identity."""

import asyncio
from dataclasses import dataclass

import pytest

from billing_service.api.identity import CallerAuthenticator, Identity
from billing_service.domain.access.api_keys import ENTROPY_BYTES, ApiKey, NewKey, Scope, hash_key, make_key
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.refusals.access import api_key_invalid
from tests.api.edge_server import ADMIN, BILLING, STRIPE_EVENTS

PEPPER = b"pepper of the tests, 32 bytes...."
NOW_US = 1_800_000_000_000_000
METHODS = [method for service in (BILLING, ADMIN, STRIPE_EVENTS) for method in service.methods]


def key_number(n: int) -> NewKey:
    return make_key(bytes([n]) * ENTROPY_BYTES)


class KeyRing:
    """Keys, a clock and counters in place of a database."""

    def __init__(self) -> None:
        self.keys: dict[str, ApiKey] = {}
        self.now_us = NOW_US
        self.monotonic = 1000.0
        self.lookups: list[str] = []
        self.uses: list[tuple[str, int]] = []
        self.failure: Exception | None = None
        self.gate: asyncio.Event | None = None

    def add(self, n: int, caller: str, *scopes: Scope, **fields) -> NewKey:
        key = key_number(n)
        self.keys[key.key_id] = ApiKey(key.key_id, caller, frozenset(scopes), hash_key(PEPPER, key.text), 0, **fields)
        return key

    def pass_time(self, seconds: float) -> None:
        self.monotonic += seconds
        self.now_us += round(seconds * 1e6)

    async def find(self, key_id: str) -> ApiKey | None:
        self.lookups.append(key_id)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return self.keys.get(key_id)

    def authenticator(self, **certificate_callers: frozenset[Scope]) -> CallerAuthenticator:
        return CallerAuthenticator(
            pepper=PEPPER,
            find_api_key=self.find,
            note_use=lambda key_id, when: self.uses.append((key_id, when)),
            now_us=lambda: self.now_us,
            monotonic=lambda: self.monotonic,
            certificate_callers={name.replace("_", "."): scopes for name, scopes in certificate_callers.items()},
        )


@dataclass
class FakePeer:
    metadata: tuple = ()
    properties: dict | None = None

    def invocation_metadata(self):
        return self.metadata

    def auth_context(self):
        return self.properties or {}


def bearer(key: NewKey | str) -> tuple[str, str]:
    return ("authorization", f"Bearer {key.text if isinstance(key, NewKey) else key}")


async def identify(authenticator: CallerAuthenticator, peer: FakePeer) -> Identity:
    return authenticator.recognise(peer) or await authenticator.authenticate(peer)


async def rejected(authenticator: CallerAuthenticator, peer: FakePeer) -> None:
    with pytest.raises(Refusal) as caught:
        await identify(authenticator, peer)
    assert (caught.value.reason, caught.value.message, caught.value.metadata) == (
        Reason.API_KEY_INVALID,
        api_key_invalid().message,
        {},
    )
