"""Moments between what people write and timestamps. Always UTC."""

import re
from datetime import UTC, datetime, timedelta

import typer
from google.protobuf.timestamp_pb2 import Timestamp

_AGO = re.compile(r"([0-9]{1,5})([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_past(text: str) -> datetime:
    """`2026-05-31`, `2026-05-31T12:00:00Z`, or how long ago: `30m`, `24h`, `7d`. Raises typer.BadParameter."""
    return _moment(text, -1)


def read_future(text: str) -> datetime:
    """`2026-05-31`, `2026-05-31T12:00:00Z`, or how far ahead: `30d`. Raises typer.BadParameter."""
    return _moment(text, 1)


def shown_time(moment: Timestamp) -> str:
    """To the second; nothing for an absent one."""
    if not moment.seconds and not moment.nanos:
        return ""
    return moment.ToDatetime(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _moment(text: str, direction: int) -> datetime:
    span = _AGO.fullmatch(text)
    if span is not None:
        return datetime.now(UTC) + direction * timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time: write 2026-05-31, 2026-05-31T12:00:00Z, or a span such as 24h or 7d"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
