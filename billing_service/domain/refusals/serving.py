"""Failures of a service that has no room or no time, or is going away."""

from billing_service.domain.refusals import Failure, Reason


def overloaded() -> Failure:
    return Failure(Reason.OVERLOADED, "too many calls are in flight; try again in a moment")


def shutting_down(then: str = "") -> Failure:
    """`then`: what the caller is to do, where something of the call may have been begun."""
    return Failure(
        Reason.SHUTTING_DOWN, f"the service is shutting down; {then}" if then else "the service is shutting down"
    )


def deadline_too_short(remaining_min_ms: int) -> Failure:
    return Failure(
        Reason.DEADLINE_TOO_SHORT,
        f"less than {remaining_min_ms} ms were left of the caller's deadline; nothing was begun",
        metadata={"remaining_min_ms": remaining_min_ms},
    )


def interrupted(what: str) -> Failure:
    """`what`: `call` or `batch`."""
    return Failure(Reason.CONFLICT, f"the {what} was interrupted; the same idempotency key finds out what became of it")


def outcome_omitted() -> Failure:
    return Failure(
        Reason.OUTCOME_OMITTED,
        "the answer has no room for this outcome; repeat this deduction in a smaller batch, with its key",
    )
