"""Logs to standard error: JSON, one object a line, or coloured lines for people.

What callers send can neither forge a line nor flood the log: control characters are escaped, long values cut. What
looks like a secret or an e-mail address is masked, whichever field it strayed into.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any, BinaryIO, Final, TextIO, cast

import orjson
import structlog

from billing_service.settings import Settings

VALUE_CHARACTERS_MAX: Final = 500
TRACEBACK_CHARACTERS_MAX: Final = 20_000
FIELDS_MAX: Final = 40
"""Fields of one line; more are left out."""
JSON_INTEGER_BITS: Final = 64
"""orjson refuses larger integers; they are logged as text."""
MASK: Final = "***"
SECRET_FIELDS: Final = frozenset(
    {
        "authorization",
        "api_key",
        "client_secret",
        "database_url",
        "password",
        "pepper",
        "secret",
        "stripe_signature",
        "token",
    }
)

_BEFORE_AT = r"[^\s@<>()\[\]\"',;:\\]"
_AFTER_AT = r"[^\s@<>()\[\]\"',;:\\/=]"
_SECRET = re.compile(
    r"\b(?:sk|rk)_(?:test|live)_\w+"  # Stripe's keys
    r"|\bwhsec_\w+"  # Stripe's signing secrets
    r"|\bpi_\w+_secret_\w+"  # client secrets
    r"|\bbill_[a-z2-7]{16}_\w+"  # our API keys
    r"|(?<=://)[^\s/]+@"  # user and password of a URL
    r"|(?<=password=)[^\s&]+"
)
_SECRET_OR_ADDRESS = re.compile(
    rf"{_SECRET.pattern}|(?<!{_BEFORE_AT}){_BEFORE_AT}{{1,320}}@{_AFTER_AT}{{1,320}}\.{_AFTER_AT}{{1,64}}"
)
"""E-mail addresses too."""
_QUIET_LIBRARIES: Final = ("aiosqlite", "asyncio", "httpx", "httpcore", "stripe", "sqlalchemy", "alembic")
"""Their DEBUG and INFO lines have every statement or request, with values."""

EventDict = MutableMapping[str, Any]


def configure_logs(settings: Settings, stream: TextIO | None = None) -> None:
    """Sends structlog's lines and those of the standard library to `stream` (standard error). May be called again."""
    out = sys.stderr if stream is None else stream
    level = logging.getLevelNamesMapping()[settings.log_level]
    json = settings.log_format == "json"
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,  # the correlation id of the call that is being served
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        clean,
    ]
    renderer = (
        structlog.processors.JSONRenderer(serializer=_json)
        if json
        else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", out.buffer))
        if json
        else structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *processors],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _text(renderer)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


def clean(_logger: Any, _method: str, event_dict: EventDict) -> EventDict:
    """Masks secrets, escapes control characters and cuts what is long, in names and values."""
    cleaned: EventDict = {}
    for name, value in list(event_dict.items())[:FIELDS_MAX]:
        if name.startswith("_"):
            cleaned[name] = value  # structlog's own, removed before rendering
        elif name == "exception":
            lines = str(value)[-TRACEBACK_CHARACTERS_MAX:].split("\n")
            cleaned[name] = "\n".join(_clean_text(line, VALUE_CHARACTERS_MAX) for line in lines)
        else:
            shown, is_secret = _clean_name(name)
            cleaned[shown] = MASK if is_secret else _clean_value(value)
    return cleaned


@lru_cache(maxsize=1024)
def _clean_name(name: str) -> tuple[str, bool]:
    return _clean_text(name, VALUE_CHARACTERS_MAX), name.lower() in SECRET_FIELDS


def _clean_value(value: object) -> object:
    if value is None or isinstance(value, float) or (isinstance(value, int) and value.bit_length() < JSON_INTEGER_BITS):
        return value
    return _clean_text(value if isinstance(value, str) else repr(value), VALUE_CHARACTERS_MAX)


def without_secrets(line: str) -> str:
    """A line as the log would have it, for the person who gave the command: with the e-mail addresses in it."""
    return _clean_text(line, VALUE_CHARACTERS_MAX, _SECRET)


def _clean_text(text: str, characters_max: int, masked_out: re.Pattern[str] = _SECRET_OR_ADDRESS) -> str:
    # Masked before it is cut, or half a secret would no longer look like one; a first cut bounds the work.
    masked = text[: characters_max * 4]
    if "_" in masked or "@" in masked or "=" in masked:  # all of it has one of them
        masked = masked_out.sub(MASK, masked)
    if len(masked) > characters_max or len(text) > characters_max * 4:
        masked = f"{masked[:characters_max]}… ({len(text)} characters)"
    return (
        masked
        if masked.isprintable()
        else "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in masked)
    )


def _json(event_dict: Any, **_options: Any) -> bytes:
    return orjson.dumps(event_dict)


def _text(renderer: Any) -> Any:
    def render(logger: Any, method: str, event_dict: EventDict) -> str:
        line = renderer(logger, method, event_dict)
        return line.decode() if isinstance(line, bytes) else str(line)

    return render
