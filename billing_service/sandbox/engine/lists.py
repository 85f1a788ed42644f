"""Lists as Stripe pages them: newest first, by cursor."""

from collections.abc import Callable

from billing_service.sandbox.engine.errors import Json, invalid

LIMIT_DEFAULT = 10
LIMIT_MAX = 100


def page(rows: list[Json], params: Json, url: str, kept: Callable[[Json], bool]) -> Json:
    """One page of `rows`, which come newest first. Raises ApiError for a bad limit or cursor.

    A cursor may name a row that `kept` or `created` leaves out: it only marks a place in the whole list.
    """
    limit = params.get("limit", LIMIT_DEFAULT)
    if not 1 <= limit <= LIMIT_MAX:
        raise invalid(f"This value must be between 1 and {LIMIT_MAX}.", param="limit", code="parameter_invalid_integer")
    if "starting_after" in params and "ending_before" in params:
        raise invalid(
            "You can specify only one of these parameters: starting_after, ending_before.", param="ending_before"
        )
    backwards = "ending_before" in params
    if backwards:
        rows = rows[: _position(rows, params["ending_before"], "ending_before")]
    elif "starting_after" in params:
        rows = rows[_position(rows, params["starting_after"], "starting_after") + 1 :]
    found = [
        row
        for row in rows
        if kept(row) and ("created" not in params or _created_within(row["created"], params["created"]))
    ]
    chosen = found[-limit:] if backwards else found[:limit]
    return {"object": "list", "data": chosen, "has_more": len(found) > limit, "url": url}


def matches(params: Json, *names: str) -> Callable[[Json], bool]:
    """Keeps the rows whose members equal those of the named parameters that were sent."""
    wanted = {name: params[name] for name in names if name in params}
    return lambda row: all(row[name] == value for name, value in wanted.items())


def _position(rows: list[Json], object_id: str, param: str) -> int:
    for index, row in enumerate(rows):
        if row["id"] == object_id:
            return index
    raise invalid(f"No such object: '{object_id}'", param=param, code="resource_missing")


def _created_within(created: int, bounds: Json | int) -> bool:
    if isinstance(bounds, int):
        return created == bounds
    return bool(
        created > bounds.get("gt", -1)
        and created >= bounds.get("gte", 0)
        and created < bounds.get("lt", created + 1)
        and created <= bounds.get("lte", created)
    )
