"""Checks the Stripe-Signature header over the raw bytes of a webhook, with nothing but the standard library.

Stricter than Stripe's own verifier. Times in the future are refused like times in the past. The tolerance can't be
switched off, and an empty secret is never accepted. Whatever bytes arrive, the only exception about them is
`SignatureInvalid`.
"""

import hashlib
import hmac
from collections.abc import Sequence

HEADER_BYTES_MAX = 8192
"""Longest header that is looked at: what HTTP servers take for one field, and about 120 signatures."""
TOLERANCE_S_DEFAULT = 300
TOLERANCE_S_MAX = 600
"""A wider window would let a recorded delivery be replayed for longer than an operator expects."""
_TIMESTAMP_DIGITS_MAX = 12
_DIGITS = frozenset(b"0123456789")
_PRINTABLE_ASCII = frozenset(range(0x20, 0x7F))


class SignatureInvalid(Exception):  # noqa: N818 - reads as the statement that it is
    """The payload is not shown to come from Stripe just now. The text names the cause and repeats nothing of the
    input."""


def verify(
    payload: bytes, header: str | bytes, secrets: Sequence[str], now_s: int, tolerance_s: int = TOLERANCE_S_DEFAULT
) -> None:
    """Return when `header` signs exactly `payload` with one of `secrets`, within `tolerance_s` of `now_s` in either
    direction.

    `now_s` is in seconds since 1970; `tolerance_s` is 1 to 600. Any signature of scheme v1 may fit any secret, so that
    secrets rotate without loss; other schemes are ignored.

    Raises SignatureInvalid for whatever the sender did, and ValueError for what the deployment did: no secret, a blank
    one, or a tolerance out of range.
    """
    keys = _secret_keys(secrets)
    if not 1 <= tolerance_s <= TOLERANCE_S_MAX:
        raise ValueError(f"tolerance_s must be 1 to {TOLERANCE_S_MAX}")
    timestamp, signatures = _parse(header)
    if abs(now_s - int(timestamp)) > tolerance_s:
        raise SignatureInvalid("the timestamp is outside the tolerance")
    signed = timestamp + b"." + payload
    fits = False
    for key in keys:
        expected = hmac.new(key, signed, hashlib.sha256).hexdigest().encode()
        for signature in signatures:
            fits |= hmac.compare_digest(expected, signature)
    if not fits:
        raise SignatureInvalid("no signature fits the payload")


def _secret_keys(secrets: Sequence[str]) -> list[bytes]:
    if isinstance(secrets, (str, bytes)):
        # One documented error for bad settings.
        raise ValueError("secrets must be a sequence of strings, not one string")  # noqa: TRY004
    if not secrets or not all(secret.strip() for secret in secrets):
        raise ValueError("every webhook secret must be non-empty")
    return [secret.encode() for secret in secrets]


def _parse(header: str | bytes) -> tuple[bytes, list[bytes]]:
    """The timestamp's own digits, which are part of what was signed, and the v1 signatures."""
    if len(header) > HEADER_BYTES_MAX:
        raise SignatureInvalid("the header is too long")
    # "replace" makes "?" of what is not ASCII, so such a header is refused here rather than encoded into one that could
    # fit.
    raw = header if isinstance(header, bytes) else header.encode("ascii", "replace")
    if (isinstance(header, str) and not header.isascii()) or not _PRINTABLE_ASCII.issuperset(raw):
        raise SignatureInvalid("the header has characters that no signature has")
    timestamps: list[bytes] = []
    signatures: list[bytes] = []
    for element in raw.split(b","):
        scheme, separator, value = element.partition(b"=")
        if not separator:
            raise SignatureInvalid("the header is malformed")
        if scheme == b"t":
            timestamps.append(value)
        elif scheme == b"v1":
            signatures.append(value)
    if len(timestamps) != 1 or not signatures:
        raise SignatureInvalid("the header must have one timestamp and a v1 signature")
    timestamp = timestamps[0]
    if not 1 <= len(timestamp) <= _TIMESTAMP_DIGITS_MAX or not _DIGITS.issuperset(timestamp):
        raise SignatureInvalid("the timestamp is not a number of seconds")
    return timestamp, signatures
