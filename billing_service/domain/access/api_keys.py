"""API keys: what they look like, what they may do, and how one is recognised without being stored.

    bill_<key id, 16>_<secret, 32><checksum, 7>      lower-case base32

The checksum lets a typing error or a truncated paste be refused without a look-up, and lets secret scanners recognise a
leaked key. The secret has 160 random bits, so a fast keyed hash is enough: there is nothing to guess.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

KEY_ID_BYTES = 10
SECRET_BYTES = 20
ENTROPY_BYTES = KEY_ID_BYTES + SECRET_BYTES
ACCOUNTS_MAX = 100
"""Accounts that one key may be bound to: they are held in memory for each key in use."""

_KEY = re.compile(r"bill_([a-z2-7]{16})_([a-z2-7]{32})([a-z2-7]{7})", re.ASCII)


class Scope(StrEnum):
    """What a caller may do. ADMIN implies all others."""

    READ = "read"
    DEDUCT = "deduct"
    PURCHASE = "purchase"
    REFUND = "refund"
    WEBHOOK = "webhook"
    ADMIN = "admin"


def scopes_text(scopes: Iterable[Scope]) -> str:
    """Scopes as they are kept and audited: words in the order of the alphabet, with spaces between."""
    return " ".join(sorted(set(scopes)))


def effective_scopes(granted: Iterable[Scope]) -> frozenset[Scope]:
    """The granted scopes and all that they imply."""
    scopes = frozenset(granted)
    return frozenset(Scope) if Scope.ADMIN in scopes else scopes


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the one moment when its text exists."""

    key_id: str
    text: str

    def __repr__(self) -> str:
        return f"NewKey(key_id={self.key_id!r}, text='***')"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key: never its secret. Times are microseconds since 1970, UTC."""

    key_id: str
    caller: str
    scopes: frozenset[Scope]
    secret_hash: bytes
    """Of the whole key; see hash_key."""
    create_time_us: int
    expire_time_us: int | None = None
    revoke_time_us: int | None = None
    last_use_time_us: int | None = None
    account_ids: tuple[str, ...] = ()
    """The accounts that it is bound to; empty: it may act on all."""
    spender_ids: tuple[str, ...] = ()
    """The spenders that all its charges count for."""

    def is_live(self, now_us: int) -> bool:
        return self.revoke_time_us is None and (self.expire_time_us is None or now_us < self.expire_time_us)


def make_key(entropy: bytes) -> NewKey:
    """The key that `entropy` (ENTROPY_BYTES from a cryptographic source) encodes."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"a key needs exactly {ENTROPY_BYTES} bytes of entropy")
    key_id = _base32(entropy[:KEY_ID_BYTES])
    body = f"bill_{key_id}_{_base32(entropy[KEY_ID_BYTES:])}"
    return NewKey(key_id, body + _checksum(body))


def key_id_of(text: str) -> str | None:
    """The public id inside a well-formed key; None when form or checksum is wrong."""
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    return match[1] if _checksum(text[: match.start(3)]) == match[3] else None


def hash_key(pepper: bytes, text: str) -> bytes:
    """HMAC-SHA-256 of the whole key, 32 bytes: worthless without the pepper, which the database never sees."""
    return hmac.digest(pepper, text.encode(), hashlib.sha256)


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _checksum(body: str) -> str:
    return _base32(binascii.crc32(body.encode()).to_bytes(4, "big"))
