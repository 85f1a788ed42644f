"""From the raw bytes of a webhook to the event's envelope. Pure: whether the bytes are Stripe's, the signature says.

Whatever the bytes are, the only exception is EnvelopeInvalid. Such an event has no id to keep it under.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

PAYLOAD_BYTES_MAX: Final = 256 * 1024
"""Stripe's largest events are a few dozen KiB."""
CREATED_S_MAX: Final = 253_402_300_799
"""The last second of the year 9999: later moments fit no timestamp."""
US_PER_S: Final = 1_000_000

_EVENT_ID: Final = re.compile(r"evt_[A-Za-z0-9_]{1,250}")
_EVENT_TYPE: Final = re.compile(r"[A-Za-z0-9_]{1,60}(\.[A-Za-z0-9_]{1,60}){0,5}")
_API_VERSION: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CONNECTED_ACCOUNT: Final = re.compile(r"acct_[A-Za-z0-9_]{1,250}")


class EnvelopeInvalid(ValueError):  # noqa: N818 - a typed "no", like the others
    """These bytes are no snapshot event of Stripe's. The message names the fault and repeats none of the content."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A snapshot event. `object` is the thing that the event is about, unchecked: `facts` reads it."""

    event_id: str
    event_type: str
    livemode: bool
    created_us: int
    """When Stripe made the event, microseconds since 1970 (whole seconds)."""
    api_version: str | None
    connected_account: str | None
    """Set on events of another Stripe account that is connected to ours: none of them is about our money."""
    object: Mapping[str, Any]


def parse_envelope(payload: bytes) -> Envelope:
    """The envelope of an event's raw bytes. Raises EnvelopeInvalid."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise EnvelopeInvalid(f"larger than {PAYLOAD_BYTES_MAX} bytes")
    try:
        event = orjson.loads(payload)
    except orjson.JSONDecodeError:
        # Without the cause: its text quotes the payload, which may hold a customer's data.
        raise EnvelopeInvalid("not JSON") from None
    if not isinstance(event, dict):
        raise EnvelopeInvalid("not a JSON object")
    if event.get("object") != "event":
        raise EnvelopeInvalid("object is not 'event'; thin events are not taken")
    created_s = event.get("created")
    if type(created_s) is not int or not 0 <= created_s <= CREATED_S_MAX:
        raise EnvelopeInvalid(f"created is not a whole number from 0 to {CREATED_S_MAX}")
    livemode = event.get("livemode")
    if not isinstance(livemode, bool):
        raise EnvelopeInvalid("livemode is neither true nor false")
    data = event.get("data")
    about = data.get("object") if isinstance(data, dict) else None
    if not isinstance(about, dict):
        raise EnvelopeInvalid("data.object is not an object")
    return Envelope(
        event_id=_matching(event, "id", _EVENT_ID),
        event_type=_matching(event, "type", _EVENT_TYPE),
        livemode=livemode,
        created_us=created_s * US_PER_S,
        api_version=None if event.get("api_version") is None else _matching(event, "api_version", _API_VERSION),
        connected_account=None if event.get("account") is None else _matching(event, "account", _CONNECTED_ACCOUNT),
        object=about,
    )


def _matching(event: Mapping[str, Any], field: str, pattern: re.Pattern[str]) -> str:
    value = event.get(field)
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise EnvelopeInvalid(f"{field} does not match {pattern.pattern}")
    return value
