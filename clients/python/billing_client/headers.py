"""Headers that travel with a call.

gRPC calls them metadata. Purchases and deductions carry `metadata` of their own, hence another name.
"""

import re
from collections.abc import Mapping
from typing import TypeAlias

Headers: TypeAlias = Mapping[str, str | bytes]
"""Names to values. A value is printable ASCII; one whose name ends in `-bin` is bytes."""
Pairs: TypeAlias = tuple[tuple[str, str | bytes], ...]

_NAME = re.compile(r"[0-9a-z_.-]{1,128}", re.ASCII)
_OWNED = {
    "authorization": "the API key goes by api_key",
    "content-type": "gRPC sets it",
    "host": "gRPC sets it",
    "te": "gRPC sets it",
    "user-agent": "gRPC sets it",
}


def pairs_of(headers: Headers) -> Pairs:
    """Checked, with names in lower case. ValueError names the header and never repeats its value."""
    pairs: dict[str, str | bytes] = {}
    for given, value in headers.items():
        name = given.lower()
        if not _NAME.fullmatch(name):
            raise ValueError(f"headers: {given!r} can't be the name of one")
        if name in _OWNED or name.startswith("grpc-"):
            raise ValueError(f"headers: {name} can't be given: {_OWNED.get(name, 'gRPC sets it')}")
        if name in pairs:
            raise ValueError(f"headers: {name} is there twice")
        if isinstance(value, bytes) != name.endswith("-bin"):
            raise ValueError(
                f"headers: {name} must be {'bytes' if name.endswith('-bin') else 'text; only names in -bin take bytes'}"
            )
        if isinstance(value, str) and not (value.isascii() and value.isprintable()):
            raise ValueError(f"headers: {name} must be printable ASCII")
        pairs[name] = value
    return tuple(pairs.items())


def overlaid(standing: Pairs, headers: Headers | None) -> Pairs:
    """The headers of a client with those of one call, which win. ValueError as for `pairs_of`."""
    if not headers:
        return standing
    return tuple({**dict(standing), **dict(pairs_of(headers))}.items())
