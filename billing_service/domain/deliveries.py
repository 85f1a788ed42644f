"""When an event that was not delivered is tried again."""

from enum import IntEnum
from typing import Final

from billing_service.domain.times import US_PER_S

FIRST_DELAY_US: Final = 5 * US_PER_S
"""It doubles with each try."""
EVENT_DELAY_MAX_US: Final = 3_600 * US_PER_S
"""Of an event that alone fails."""
ENDPOINT_DELAY_MAX_US: Final = 300 * US_PER_S
"""Of an endpoint that answers nothing: so soon it is found to be back."""
GIVEN_UP_AFTER_US: Final = 3 * 86_400 * US_PER_S
"""An event that has failed for so long is a dead letter: its account's later events go on."""
FAILURES_MAX: Final = 3
"""Failures without a success between them, after which the endpoint counts as away."""
NEVER_US: Final = 2**62
"""When an event is due that waits behind another of its account."""
_DOUBLINGS_MAX: Final = 20


class DeliveryState(IntEnum):
    """Of an event that was not delivered at once. The numbers are stored."""

    WAITING = 1
    DEAD = 2


def delay_us(failures: int, maximum_us: int, jitter: float) -> int:
    """Until the next try after so many failures. `jitter`, from 0 to 1, takes up to half of it away: deliveries that
    failed together do not come back together."""
    full = min(FIRST_DELAY_US << min(failures - 1, _DOUBLINGS_MAX), maximum_us)
    return full - int(full * jitter / 2)
