"""How many calls the service takes on at once. Beyond that it says so at once, which costs microseconds, instead of queueing."""

from dataclasses import dataclass

from billing_service.domain.refusals import Failure, Reason


@dataclass(slots=True)
class Admission:
    """Counts calls in flight on one event loop. Health checks do not pass through here: an overloaded process is not a dead one."""

    in_flight_max: int
    in_flight: int = 0
    shed: int = 0
    """Calls refused so far."""
    draining: bool = False
    """Whether the server is on its way out; it then explains interrupted calls."""

    def refuse(self) -> Failure:
        self.shed += 1
        return Failure(Reason.OVERLOADED, "too many calls are in flight; try again in a moment")
