"""Checks of request fields. Each returns the value to use and raises INVALID_FIELD, naming the field, for any other.

`Printable` is Python's str.isprintable: letters, marks, digits, punctuation, symbols and the plain space; no control,
format or private-use character, no other white space. Lengths count characters (code points), not bytes.
"""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final
from urllib.parse import urlsplit

import orjson
from google.protobuf.timestamp_pb2 import Timestamp

from billing_service.domain.accounts.profiles import EMAIL_MAX, NAME_MAX
from billing_service.domain.ledger.amounts import AMOUNT_MAX
from billing_service.domain.refusals import invalid_field
from billing_service.domain.spending.limits import SPENDERS_MAX
from billing_service.domain.times import US_PER_S

ID_MAX: Final = 255
"""Of an id of ours or of Stripe's."""
ACCOUNT_ID_MAX: Final = 128
SPENDER_ID_MAX: Final = 128
IDEMPOTENCY_KEY_MAX: Final = 255
TEXT_MAX: Final = 500
URL_MAX: Final = 2000
METADATA_PAIRS_MAX: Final = 50
METADATA_NAME_MAX: Final = 40
METADATA_VALUE_MAX: Final = 500
PAGE_SIZE_DEFAULT: Final = 50
PAGE_SIZE_MAX: Final = 1000
TIME_MIN_S: Final = 946_684_800
"""2000-01-01T00:00:00Z: an earlier time is a mistake in the caller's units."""
NANOS_PER_S: Final = 1_000_000_000
TIME_END_S: Final = 253_402_300_800
"""The year 10000, excluded: protobuf's timestamps end before it."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_EMAIL = re.compile(r"""[^@\s,;:<>()\[\]"\\]+@[^@\s,;:<>()\[\]"\\.]+(?:\.[^@\s,;:<>()\[\]"\\.]+)+""")
_STRIPE_CUSTOMER = re.compile(r"cus_[A-Za-z0-9_]+", re.ASCII)
_CURRENCY = re.compile(r"[a-z]{3}", re.ASCII)


def account_id(value: str, field: str = "account_id") -> str:
    """1 to 128 printable characters, kept as they are: compared byte by byte."""
    return identifier(field, value, ACCOUNT_ID_MAX)


def idempotency_key(value: str) -> str:
    """1 to 255 printable characters."""
    return identifier("idempotency_key", value, IDEMPOTENCY_KEY_MAX)


def identifier(field: str, value: str, length_max: int = ID_MAX) -> str:
    """Required; printable."""
    if 0 < len(value) <= length_max and value.isprintable():
        return value
    if not value:
        raise invalid_field(field, "is required")
    if len(value) > length_max:
        raise invalid_field(field, f"has {len(value)} characters; at most {length_max} are allowed")
    raise invalid_field(field, "has a character that is not printable")


def distinct(field: str, values: Sequence[str], length_max: int, count_max: int) -> list[str]:
    """At most `count_max` printable ids, each of them once; in their own order, whatever order they came in."""
    if len(values) > count_max:
        raise invalid_field(field, f"has {len(values)} ids; at most {count_max} are allowed")
    for value in values:
        identifier(field, value, length_max)
    if len(set(values)) < len(values):
        raise invalid_field(field, "has an id twice")
    return sorted(values)


def spenders(bound: Sequence[str], sent: Sequence[str], field: str = "spender_ids") -> tuple[str, ...]:
    """Those that the API key is bound to, and then those sent: at most 4 in all, all different."""
    if not sent:
        return tuple(bound)
    for value in sent:
        identifier(field, value, SPENDER_ID_MAX)
    named = (*bound, *sent)
    if len(named) > SPENDERS_MAX:
        words = f"come to {len(named)} with those of the API key; at most {SPENDERS_MAX} are allowed"
        raise invalid_field(field, words)
    if len(set(named)) < len(named):
        raise invalid_field(field, "has a spender twice, or one that the API key is bound to")
    return named


def amount_microcredits(value: int, field: str = "amount_microcredits", *, maximum: int = AMOUNT_MAX) -> int:
    """1 to 10^15 microcredits, or to `maximum`."""
    return positive(field, value, maximum)


def positive(field: str, value: int, maximum: int) -> int:
    if 0 < value <= maximum:
        return value
    raise invalid_field(field, f"must be from 1 to {maximum}")


def text(field: str, value: str, length_max: int = TEXT_MAX) -> str:
    """Optional words: line breaks and tabs are welcome, other control characters are not."""
    if len(value) > length_max:
        raise invalid_field(field, f"has {len(value)} characters; at most {length_max} are allowed")
    if not value.isprintable() and _CONTROL.search(value):
        raise invalid_field(field, "has a control character")
    return value


def email(value: str, field: str = "email") -> str:
    """Optional; what Stripe takes: something before one @, two labels or more after it, none of them empty; no spaces,
    commas, brackets, quotes, colons, semicolons or backslashes; to 320 characters. Only a letter could find out whether
    it exists."""
    if value and not (len(value) <= EMAIL_MAX and value.isprintable() and _EMAIL.fullmatch(value)):
        raise invalid_field(
            field, f"must be an e-mail address of at most {EMAIL_MAX} characters, such as ada@example.com"
        )
    return value


def stripe_customer_id(value: str, field: str = "stripe_customer_id") -> str:
    """The id of a customer at Stripe; empty where there is none."""
    if value and not (len(value) <= ID_MAX and _STRIPE_CUSTOMER.fullmatch(value)):
        raise invalid_field(field, f"must be cus_ and letters, digits or underscores, at most {ID_MAX} characters")
    return value


def metadata(value: Mapping[str, str], field: str = "metadata") -> dict[str, str]:
    """At most 50 pairs; names of 1 to 40 printable characters, values of at most 500: Stripe's limits."""
    if len(value) > METADATA_PAIRS_MAX:
        raise invalid_field(field, f"has {len(value)} pairs; at most {METADATA_PAIRS_MAX} are allowed")
    for name, words in value.items():
        identifier(f"{field} name", name, METADATA_NAME_MAX)
        text(f"{field}[{name}]", words, METADATA_VALUE_MAX)
    return dict(value)


def metadata_text(value: Mapping[str, str], field: str = "metadata") -> str:
    """The same as it is kept: JSON, in the order of the names; empty for none."""
    return orjson.dumps(metadata(value, field), option=orjson.OPT_SORT_KEYS).decode() if value else ""


def name(value: str, field: str = "name") -> str:
    """Optional words of at most 256 characters."""
    return text(field, value, NAME_MAX)


def page_size(value: int) -> int:
    """0 means 50; more than 1,000 is cut to 1,000; negative is refused."""
    if value < 0:
        raise invalid_field("page_size", "must not be negative")
    return min(value, PAGE_SIZE_MAX) or PAGE_SIZE_DEFAULT


def url(field: str, value: str) -> str:
    """Optional; an absolute http or https address without user name or white space, to 2,000 characters."""
    if not value:
        return value
    if len(value) > URL_MAX:
        raise invalid_field(field, f"has {len(value)} characters; at most {URL_MAX} are allowed")
    try:
        parts = urlsplit(value)
        fits = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        )
    except ValueError:
        fits = False
    if not fits or not value.isprintable() or " " in value or "\\" in value:
        raise invalid_field(field, "must be an absolute http or https address")
    return value


def timestamp_us(field: str, value: Timestamp) -> int:
    """Microseconds since 1970 UTC, rounded down; from the year 2000 to 9999. Ask `request.HasField` first."""
    if not (TIME_MIN_S <= value.seconds < TIME_END_S and 0 <= value.nanos < NANOS_PER_S):
        raise invalid_field(field, "must be a time from the year 2000 to 9999")
    return value.seconds * US_PER_S + value.nanos // 1_000


def known_value(field: str, value: int, known: AbstractSet[int]) -> int:
    """An enum's number that this version of the service knows. `known` is `frozenset(Enum.values())`, made once."""
    if value not in known:
        raise invalid_field(field, "is a value that this service does not know")
    return value


def currency(value: str, expected: str, field: str = "currency") -> str:
    """The catalogue's currency; empty means it."""
    if not value or value == expected:
        return expected
    if not _CURRENCY.fullmatch(value):
        raise invalid_field(field, "must be a lower-case ISO 4217 code")
    raise invalid_field(field, f"must be {expected}, the currency of the catalogue")
