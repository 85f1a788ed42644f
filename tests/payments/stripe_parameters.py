"""Judges form parameters by the types that the SDK publishes for the pinned API version."""

import re
import types
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints

from typing_extensions import is_typeddict


def nested(form):
    """`a[b][0][c]=v` back to nested dicts; a list becomes a dict of its places."""
    tree: dict = {}
    for name, value in form.items():
        *path, last = re.findall(r"[^\[\]]+", name)
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    return tree


def faults(form, params_type):
    """Everything that Stripe would refuse about these form parameters; empty when nothing."""
    return _faults(nested(form), params_type, "")


def _faults(value, kind, where) -> list[str]:
    if isinstance(kind, str):
        raise TypeError(f"{where}: unresolved {kind}")
    if get_origin(kind) is NotRequired:
        kind = get_args(kind)[0]
    if is_typeddict(kind):
        return _table_faults(value, kind, where)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _union_faults(value, get_args(kind), where)
    if origin is Literal:
        return [] if value in get_args(kind) else [f"{where}: {value!r} is none of {get_args(kind)}"]
    if origin is list:
        if not isinstance(value, dict) or sorted(value) != sorted(str(place) for place in range(len(value))):
            return [f"{where}: not a list"]
        return [
            fault for place, item in value.items() for fault in _faults(item, get_args(kind)[0], f"{where}[{place}]")
        ]
    if origin is dict:
        return (
            []
            if isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
            else [f"{where}: not a map of texts"]
        )
    return _leaf_faults(value, kind, where)


def _table_faults(value, kind, where) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: not a table"]
    hints = {
        name: hint
        for name, hint in get_type_hints(kind, localns=_NAMES, include_extras=True).items()
        if name not in _OPTIONS
    }
    found = [f"{where}.{name}: unknown parameter" for name in value if name not in hints]
    found += [
        f"{where}.{name}: missing"
        for name, hint in hints.items()
        if get_origin(hint) is not NotRequired and name not in value
    ]
    for name in value.keys() & hints.keys():
        found += _faults(value[name], hints[name], f"{where}.{name}")
    return found


def _union_faults(value, options, where) -> list[str]:
    if any(get_origin(option) is Literal for option in options):
        # Open enums are `Literal[...] | str`: the text stands for values of other versions, which this one would
        # refuse.
        options = [option for option in options if option is not str] or options
    verdicts = [_faults(value, option, where) for option in options]
    return min(verdicts, key=len)


def _leaf_faults(value, kind, where) -> list[str]:
    looks = {int: r"-?\d+", bool: "true|false", str: r"(?s).+", float: r"-?\d+(\.\d+)?"}.get(kind)
    if looks is None:
        return [] if kind is Any else [f"{where}: no form text can be a {kind}"]
    return (
        [] if isinstance(value, str) and re.fullmatch(looks, value) else [f"{where}: {value!r} is no {kind.__name__}"]
    )


# Names that the types of the call options use without importing them.
_NAMES = {"StripeContext": object, "Mapping": dict}
_OPTIONS = {
    "api_key",
    "stripe_version",
    "stripe_account",
    "stripe_context",
    "max_network_retries",
    "idempotency_key",
    "headers",
    "content_type",
}
