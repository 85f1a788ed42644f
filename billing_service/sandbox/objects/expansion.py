"""`expand[]`: ids become objects, and lists that stand on an object only when asked for appear."""

from billing_service.sandbox.engine.errors import Json, invalid
from billing_service.sandbox.engine.store import Sandbox
from billing_service.sandbox.objects.charges import refunds_of
from billing_service.sandbox.objects.checkout_sessions import line_items_url

DEPTH_MAX = 4
EXPANDABLE = frozenset(
    {
        "balance_transaction",
        "charge",
        "customer",
        "default_price",
        "failure_balance_transaction",
        "latest_charge",
        "payment_intent",
    }
) | {"payment_method", "product", "source"}


def expanded(sandbox: Sandbox, body: Json, paths: list[str]) -> Json:
    """A copy of `body` with the named members expanded. Raises ApiError 400 for one that can't be."""
    for path in paths:
        names = path.split(".")
        if len(names) > DEPTH_MAX:
            raise invalid(
                f"You cannot expand more than {DEPTH_MAX} levels of a property. Property: {path}", param="expand"
            )
        body = _expand(sandbox, body, names, path)
    return body


def _expand(sandbox: Sandbox, obj: Json, names: list[str], path: str) -> Json:
    name, rest = names[0], names[1:]
    if name == "data" and obj.get("object") == "list":
        return obj | {"data": [_expand(sandbox, row, rest, path) if rest else row for row in obj["data"]]}
    value = _member(sandbox, obj, name, path)
    if rest and isinstance(value, dict):
        value = _expand(sandbox, value, rest, path)
    return obj | {name: value}


def _member(sandbox: Sandbox, obj: Json, name: str, path: str) -> object:
    kind = obj.get("object")
    if kind == "checkout.session" and name == "line_items":
        items = sandbox.line_items[obj["id"]]
        return obj.get(name) or {"object": "list", "data": items, "has_more": False, "url": line_items_url(obj)}
    if kind == "charge" and name == "refunds":
        return obj.get(name) or refunds_of(sandbox, obj)
    if name not in obj or not (name in EXPANDABLE or isinstance(obj[name], dict)):
        raise invalid(f"This property cannot be expanded ({path}).", param="expand")
    value = obj[name]
    return sandbox.find(value) if isinstance(value, str) else value
