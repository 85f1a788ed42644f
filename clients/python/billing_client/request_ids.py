"""One id for a request on its way through gateway, service and their logs: what callers may send, and what is taken of
it."""

import re
import secrets
from typing import Final

REQUEST_ID_HEADER: Final = "x-request-id"
TRACE_HEADER: Final = "traceparent"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/-]{1,64}", re.ASCII)
_TRACE = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]{0,200})?", re.ASCII
)
"""W3C's trace context: version, trace, parent, flags; a later version may say more."""


def request_id(given: str, traceparent: str = "") -> str:
    """The id that a caller gave: 1 to 64 of A-Z, a-z, 0-9, `.`, `_`, `:`, `/` and `-`. Else the id of its trace, else a
    new one."""
    if _REQUEST_ID.fullmatch(given):
        return given
    return trace_id(traceparent) or secrets.token_hex(8)


def trace_id(traceparent: str) -> str:
    """The 32 hexadecimal digits of a W3C `traceparent`; empty for what is none."""
    match = _TRACE.fullmatch(traceparent)
    return match[1] if match else ""
