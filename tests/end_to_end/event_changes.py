"""Events like real ones, with one thing changed."""

import copy
import time


def changed(event, number, path="", value=None, **envelope):
    """A copy with an id of its own and one thing of its object changed."""
    copied = copy.deepcopy(event) | {"id": f"evt_changed{number}x{int(time.time_ns())}"} | envelope
    if path:
        at, *names = (copied["data"]["object"], *path.split("."))
        for name in names[:-1]:
            at = at[name]
        at[names[-1]] = value
    return copied
