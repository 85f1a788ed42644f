"""From the raw bytes of a webhook to the event's envelope. Pure: whether the bytes are Stripe's, the signature says.

An event is refused only when it has no id or type to keep it under; the only exception is EnvelopeInvalid. Every other
field may hold anything: a rule that needs it says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from billing_service.payments.objects.fields import time_us

PAYLOAD_BYTES_MAX: Final = 256 * 1024
"""Stripe's largest events are a few dozen KiB."""
NAME_CHARACTERS_MAX: Final = 255
"""Of an event's id, and of its type. Stripe's ids are no longer."""


class EnvelopeInvalid(ValueError):  # noqa: N818 - a typed "no", like the others
    """These bytes are no snapshot event of Stripe's. The message names the fault and repeats none of the content."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A snapshot event, of any API version. `object` is the thing that the event is about, unchecked: its family reads
    it."""

    event_id: str
    event_type: str
    livemode: bool | None
    """None where it is neither true nor false."""
    created_us: int | None
    """When Stripe made the event, microseconds since 1970 (whole seconds); None where it is no such time."""
    is_connected: bool
    """Whether it is about another Stripe account that is connected to ours: none of those is about our money."""
    object: Mapping[str, Any]
    """Empty where there is none."""


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
    livemode, data = event.get("livemode"), event.get("data")
    about = data.get("object") if isinstance(data, dict) else None
    return Envelope(
        event_id=_name(event, "id"),
        event_type=_name(event, "type"),
        livemode=livemode if isinstance(livemode, bool) else None,
        created_us=time_us(event.get("created")),
        is_connected=event.get("account") is not None,
        object=about if isinstance(about, dict) else {},
    )


def _name(event: Mapping[str, Any], field: str) -> str:
    value = event.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= NAME_CHARACTERS_MAX or not value.isprintable():
        raise EnvelopeInvalid(f"{field} is not printable text of 1 to {NAME_CHARACTERS_MAX} characters")
    return value
