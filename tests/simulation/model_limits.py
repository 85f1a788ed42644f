"""Spend limits as the model sees them: what was charged in the window that is now, since the limit was set."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAY_US = 86_400_000_000
DAY, MONTH, NONE = 1, 2, 3
WINDOW_NAMES = {DAY: "DAY", MONTH: "MONTH", NONE: "NONE"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class ModelLimit:
    """One limit of one spender; the account itself is ''."""

    amount_max: int
    set_us: int
    start_us: int
    """Of the window that was counted in last."""
    used: int = 0


def start_of(window, now_us):
    if window == DAY:
        return now_us // DAY_US * DAY_US
    if window == MONTH:
        day = _EPOCH + timedelta(days=now_us // DAY_US)
        return (day.replace(day=1) - _EPOCH).days * DAY_US
    return 0


def named(account, spenders):
    """Limits by (spender, window), in the order in which they are checked."""
    return [
        ((spender, window), account.limits[spender, window])
        for spender in ("", *spenders)
        for window in (DAY, MONTH, NONE)
        if (spender, window) in account.limits
    ]


def used(limit, window, now_us):
    return limit.used if limit.start_us == start_of(window, now_us) else 0


def lefts(account, now_us):
    """(spender, window, left) of each limit."""
    return {
        (spender, window, max(limit.amount_max - used(limit, window, now_us), 0))
        for (spender, window), limit in account.limits.items()
    }


def room(account, spenders, now_us):
    """What all limits that a charge counts at let through."""
    rooms = [max(limit.amount_max - used(limit, window, now_us), 0) for (_, window), limit in named(account, spenders)]
    return min(rooms, default=2**63)


def count(account, spenders, amount, now_us):
    for (_, window), limit in named(account, spenders) if amount else ():
        limit.used = used(limit, window, now_us) + amount
        limit.start_us = start_of(window, now_us)


def give_back(account, spenders, amount, counted_us, now_us):
    """Where it counted, as long as that window lasts."""
    for (_, window), limit in named(account, spenders):
        if counted_us >= max(start_of(window, now_us), limit.set_us):
            limit.used = max(used(limit, window, now_us) - amount, 0)
