"""Which e-mail addresses the API takes."""

import re

from billing_service.sandbox.engine.errors import Json, invalid

LENGTH_MAX = 512
SHAPE = re.compile(r"""[^@\s,;:<>()\[\]"\\]+@[^@\s,;:<>()\[\]"\\.]+(\.[^@\s,;:<>()\[\]"\\.]+)+""")
"""One @, a domain of two labels or more, none of them empty, and none of the characters that set addresses apart."""


def is_taken(address: str) -> bool:
    return len(address) <= LENGTH_MAX and SHAPE.fullmatch(address) is not None


def check(params: Json, name: str) -> None:
    """Raises ApiError unless the parameter is absent, empty, or an address that is taken."""
    address = params.get(name)
    if address and not is_taken(address):
        raise invalid(f"Invalid email address: {address}", param=name, code="email_invalid")
