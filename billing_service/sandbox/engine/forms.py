"""Form bodies with bracketed names, as Stripe's SDKs and its command line send them."""

import re
from typing import Any
from urllib.parse import parse_qsl

from billing_service.sandbox.engine.errors import invalid

NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
SEGMENT = re.compile(r"\[([^\[\]]*)\]")
DEPTH_MAX = 10  # no parameter of Stripe nests deeper
FIELDS_MAX = 1_000  # far above the largest legitimate request; bounds the work of one request

Form = dict[str, Any]


def decode(text: str) -> Form:
    """`a[b][0]=x` becomes `{"a": {"b": {"0": "x"}}}`: lists stay dicts of digits until their type is known.

    Raises ApiError (400) for names that can't be read or that contradict each other.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError as error:
        raise invalid("Invalid request: the form body could not be read.") from error
    form: Form = {}
    for name, value in pairs:
        _place(form, name, _path(name), value)
    return form


def _path(name: str) -> list[str]:
    match = NAME.match(name)
    if match is None:
        raise invalid(f"Invalid parameter name: {name}", param=name)
    path = [match[1], *SEGMENT.findall(match[2])]
    if len(path) > DEPTH_MAX:
        raise invalid(f"Invalid parameter name: {name}", param=name)
    return path


def _place(form: Form, name: str, path: list[str], value: str) -> None:
    place = form
    for index, segment in enumerate(path[:-1]):
        key = _element(place, following=path[index + 1]) if segment == "" else segment
        child = place.setdefault(key, {})
        if not isinstance(child, dict):
            raise invalid(f"Invalid parameter name: {name}", param=name)
        place = child
    key = path[-1] or str(len(place))
    if isinstance(place.get(key), dict):
        raise invalid(f"Invalid parameter name: {name}", param=name)
    place[key] = value


def _element(array: Form, *, following: str) -> str:
    """`a[][x]=1&a[][y]=2` is one element, a repeated member begins the next one."""
    last = str(len(array) - 1)
    if last in array and isinstance(array[last], dict) and following and following not in array[last]:
        return last
    return str(len(array))
