"""Page tokens: where a list goes on, signed, and good only for the request that they came from.

    base64url( HMAC-SHA-256 over binding and position, first 16 bytes | position )

The binding is every other field that decides what is listed. It is signed, not stored: a token used with another
account or filter is refused instead of showing a page of something else.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from billing_service.domain.refusals import Refusal, invalid_field

POSITION_MAX = 1040
"""Characters of a position: the longest account id in hexadecimal takes 1,024 of them, and a word may precede it."""
TOKEN_MAX = 2048
"""Characters of a token that are looked at."""

_MAC_BYTES = 16


def encode_page_token(secret: bytes, position: str, binding: Sequence[str | int]) -> str:
    """`position` is whatever the list needs to go on, at most POSITION_MAX ASCII characters; `binding` starts with the
    list's name."""
    assert len(position) <= POSITION_MAX
    raw = position.encode("ascii")
    return _text(_mac(secret, raw, binding) + raw)


def decode_page_token(secret: bytes, token: str, binding: Sequence[str | int], field: str = "page_token") -> str:
    """The position. INVALID_FIELD of `field` when the token was tampered with, is another request's, or was signed with
    another secret."""
    if len(token) > TOKEN_MAX:
        raise _invalid(field)
    try:
        signed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise _invalid(field) from None
    mac, raw = signed[:_MAC_BYTES], signed[_MAC_BYTES:]
    # Base64 has spellings that decode alike: only the one that was given out is taken.
    if not hmac.compare_digest(mac, _mac(secret, raw, binding)) or _text(signed) != token:
        raise _invalid(field)
    return raw.decode("ascii")


def _text(signed: bytes) -> str:
    return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()


def _mac(secret: bytes, raw: bytes, binding: Sequence[str | int]) -> bytes:
    # Type and length go before each part, so that no two different sequences are the same bytes.
    parts = [b"s" + part.encode() if isinstance(part, str) else b"i%d" % part for part in binding]
    message = b"".join(len(part).to_bytes(4, "big") + part for part in (*parts, raw))
    return hmac.digest(secret, message, hashlib.sha256)[:_MAC_BYTES]


def _invalid(field: str) -> Refusal:
    return invalid_field(field, "is not one that this list gave for the same request")
