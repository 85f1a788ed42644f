"""Standard Webhooks: the body of an event, and the headers that prove who sent it.

The signature is one HMAC. The library of the standard signs with one secret at a time, and takes a clock's reading for
its time, so that little of it would be used. A test holds its signature against ours.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from billing_service.domain.ledger.events import EventKind, PlacedEvent
from billing_service.domain.times import US_PER_S

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the standard's, of every secret
KEY_BYTES_MIN: Final = 24
KEY_BYTES_MAX: Final = 64
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KNOWN: Final = {int(kind): kind.name.lower() for kind in EventKind}


def secret_key(secret: str) -> bytes:
    """The key in a secret's text. ValueError, without the text, where it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise ValueError(f"must be {SECRET_PREFIX} and base64 of {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes")
    return key


def body_of(event: PlacedEvent) -> bytes:
    """JSON; amounts are text, as numbers of JavaScript end at 2^53."""
    return orjson.dumps(
        {
            "type": _KNOWN.get(event.kind, f"kind_{event.kind}"),
            "timestamp": (_START + timedelta(microseconds=event.create_time_us)).isoformat().replace("+00:00", "Z"),
            "data": {
                "event_id": event.event_id,
                "account_id": event.account_id,
                "account_version": event.account_version,
                "subject_id": event.subject_id,
                "detail": {name: str(value) for name, value in event.detail.items()},
            },
        }
    )


def headers_of(event_id: str, body: bytes, keys: Sequence[bytes], now_us: int) -> dict[str, str]:
    """Signed with each key, so that a receiver may know the old secret or the new one."""
    sent_s = now_us // US_PER_S
    signed = b"%s.%d.%s" % (event_id.encode(), sent_s, body)
    signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(sent_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
