"""Events, read back."""

from stripe.params import EventListParams, EventRetrieveParams

from billing_service.sandbox.engine.errors import Json, invalid
from billing_service.sandbox.engine.lists import page
from billing_service.sandbox.engine.routes import Call, Route
from billing_service.sandbox.engine.store import Sandbox

TYPES_MAX = 20
KEPT_S = 30 * 24 * 3600  # Stripe lists events of the last 30 days only


def retrieve(sandbox: Sandbox, call: Call) -> Json:
    return sandbox.get("event", call.id)


def list_events(sandbox: Sandbox, call: Call) -> Json:
    params = call.params
    wanted = _wanted_types(params)
    oldest = sandbox.now() - KEPT_S

    def kept(event: Json) -> bool:
        return (
            event["created"] >= oldest
            and (wanted is None or any(_matches(event["type"], pattern) for pattern in wanted))
            and ("delivery_success" not in params or params["delivery_success"] == (event["pending_webhooks"] == 0))
        )

    return page(sandbox.newest_first("event"), params, "/v1/events", kept)


def _wanted_types(params: Json) -> list[str] | None:
    if "type" in params and "types" in params:
        raise invalid("You may only specify one of these parameters: type, types.", param="types")
    types: list[str] | None = params.get("types")
    if types is not None and len(types) > TYPES_MAX:
        raise invalid(f"Array types exceeded maximum {TYPES_MAX} allowed elements.", param="types")
    return [params["type"]] if "type" in params else types


def _matches(event_type: str, pattern: str) -> bool:
    return event_type.startswith(pattern[:-1]) if pattern.endswith("*") else event_type == pattern


ROUTES = (
    Route("GET", "/v1/events", EventListParams, list_events),
    Route("GET", "/v1/events/{id}", EventRetrieveParams, retrieve),
)
