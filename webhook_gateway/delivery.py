"""Reads one delivery: bounded, raw, signed, and shaped like an event. Whatever comes, the answer is a delivery or
`Rejected`."""

from dataclasses import dataclass

import orjson
from aiohttp import web
from aiohttp.client_exceptions import ClientPayloadError
from aiohttp.http_exceptions import HttpProcessingError
from billing_client.stripe_signature import SignatureInvalid, verify

from webhook_gateway.answers import Rejected
from webhook_gateway.config import GatewayConfig

SIGNATURE_HEADER = "Stripe-Signature"
NAME_LENGTH_MAX = 255
"""Of an event's id and type, as the service takes them."""


@dataclass(frozen=True, slots=True)
class Delivery:
    payload: bytes
    """The raw body: the signature covers exactly these bytes."""
    signature: str
    event_id: str
    event_type: str


async def read_delivery(request: web.Request, config: GatewayConfig) -> Delivery:
    """Check what costs least first: headers, then size while reading, then signature, then shape."""
    _require_uncompressed(request)
    signature = _only_signature(request)
    payload = await _read_body(request, config.body_bytes_max)
    try:
        verify(payload, signature, config.secrets, int(config.now_s()), config.tolerance_s)
    except SignatureInvalid as invalid:
        raise Rejected(400, "signature_invalid", str(invalid)) from invalid
    event_id, event_type = _read_envelope(payload)
    return Delivery(payload, signature, event_id, event_type)


def _require_uncompressed(request: web.Request) -> None:
    """Stripe never compresses; a compressed body is a bomb or a mistake, and its signature could not fit."""
    if any(value.strip().lower() != "identity" for value in request.headers.getall("Content-Encoding", [])):
        raise Rejected(415, "compressed", "a compressed body is not accepted")


def _only_signature(request: web.Request) -> str:
    signatures = request.headers.getall(SIGNATURE_HEADER, [])
    if len(signatures) != 1:
        raise Rejected(400, "signature_invalid", f"exactly one {SIGNATURE_HEADER} header is needed")
    return signatures[0]


async def _read_body(request: web.Request, bytes_max: int) -> bytes:
    """At most `bytes_max`, whether the length is declared or the body comes in chunks. ConnectionResetError when the
    sender leaves."""
    too_large = Rejected(413, "too_large", f"the body is larger than {bytes_max} bytes")
    if (request.content_length or 0) > bytes_max:
        raise too_large
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            if len(body) + len(chunk) > bytes_max:
                raise too_large
            body += chunk
    except (HttpProcessingError, ClientPayloadError, web.RequestPayloadError) as malformed:
        raise Rejected(400, "malformed", "the body's framing is broken") from malformed
    except OSError as lost:
        raise ConnectionResetError("the sender left") from lost
    except RuntimeError as lost:
        # What aiohttp raises when the sender left between two requests of a connection, before the second's body is
        # asked for.
        if request.transport is not None:
            raise
        raise ConnectionResetError("the sender left") from lost
    return bytes(body)


def _read_envelope(payload: bytes) -> tuple[str, str]:
    """Id and type of a signed payload.

    A thin event is refused rather than acknowledged: it means that the endpoint was registered with the other payload
    style, so no event of it would ever bring credits. A 400 is conspicuous in Stripe's dashboard; a 200 would lose them
    silently.
    """
    try:
        # orjson refuses deep nesting with this same error, where the standard library exhausts the stack.
        event = orjson.loads(payload)
    except orjson.JSONDecodeError as malformed:
        raise Rejected(400, "malformed", "the body is not JSON") from malformed
    if not isinstance(event, dict):
        raise Rejected(400, "malformed", "the body is not a JSON object")
    if event.get("object") == "v2.core.event":
        raise Rejected(
            400, "thin_event", "thin events are not accepted: register the endpoint with the snapshot payload style"
        )
    if event.get("object") != "event":
        raise Rejected(400, "malformed", "the body is not an event")
    return _name(event.get("id"), "id"), _name(event.get("type"), "type")


def _name(value: object, field: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= NAME_LENGTH_MAX or not value.isprintable():
        raise Rejected(400, "malformed", f"the event has no {field}")
    return value
