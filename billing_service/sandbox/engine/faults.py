"""A dead, slow or erring Stripe, on demand."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, get_args

from billing_service.sandbox.engine.errors import ApiError, Json

FaultKind = Literal["error", "hang", "drop", "rate_limit", "unauthenticated", "forbidden"]
When = Literal["before", "after"]
COUNT_MAX = 1_000_000
SECONDS_MAX = 600.0


@dataclass(slots=True)
class Fault:
    """What happens to the next `count` API calls that match.

    `when` before: the call is not executed (after a hang it is); after: it is executed, and only its answer is hurt.
    """

    kind: FaultKind
    count: int = 1
    seconds: float = 0.0
    when: When = "before"
    method: str = ""
    path_prefix: str = "/v1/"


class Faults:
    def __init__(self) -> None:
        self._planned: list[Fault] = []

    def plan(self, fault: Fault) -> None:
        self._planned.append(fault)

    def clear(self) -> None:
        self._planned.clear()

    def planned(self) -> list[Fault]:
        return list(self._planned)

    def take(self, method: str, path: str) -> Fault | None:
        """The first planned fault that this call meets, used up by one."""
        for fault in self._planned:
            if fault.method in {"", method} and path.startswith(fault.path_prefix):
                fault.count -= 1
                if fault.count == 0:
                    self._planned.remove(fault)
                return fault
        return None


class ConnectionDropped(Exception):  # noqa: N818 - what happens, not an error of the program
    """The connection is to be cut without an answer."""


async def strike(fault: Fault | None, when: When, sleep: Callable[[float], Awaitable[object]]) -> None:
    """Raises what the fault says, or sleeps, if it belongs to this moment."""
    if fault is None or fault.when != when:
        return
    match fault.kind:
        case "hang":
            await sleep(fault.seconds)
        case "drop":
            raise ConnectionDropped
        case "rate_limit":
            raise ApiError(429, "Request rate limit exceeded.", code="rate_limit")
        case "unauthenticated":
            raise ApiError(401, "Expired API Key provided: ********")
        case "forbidden":
            raise ApiError(
                403,
                "The provided key does not have the required permissions for this endpoint.",
                code="more_permissions_required",
            )
        case "error":
            raise ApiError(500, "An unknown error occurred", kind="api_error")


def from_json(body: Json) -> Fault:
    """Raises ValueError, naming the member, for anything that is no fault."""
    unknown = body.keys() - {"kind", "count", "seconds", "when", "method", "path_prefix"}
    if unknown:
        raise ValueError(f"unknown members: {', '.join(sorted(unknown))}")
    if body.get("kind") not in get_args(FaultKind):
        raise ValueError(f"kind: must be one of {', '.join(get_args(FaultKind))}")
    if body.get("when", "before") not in get_args(When):
        raise ValueError("when: must be before or after")
    count, seconds = body.get("count", 1), body.get("seconds", 0)
    if type(count) is not int or not 1 <= count <= COUNT_MAX:
        raise ValueError(f"count: must be a whole number from 1 to {COUNT_MAX}")
    if type(seconds) not in {int, float} or not 0 <= seconds <= SECONDS_MAX:
        raise ValueError(f"seconds: must be a number from 0 to {SECONDS_MAX:.0f}")
    for name in ("method", "path_prefix"):
        if not isinstance(body.get(name, ""), str):
            raise ValueError(f"{name}: must be text")  # noqa: TRY004 - the caller's value, answered with 400
    return Fault(**body)
