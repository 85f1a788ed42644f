"""Events like real ones, with one thing changed, and what the inbox keeps of them."""

import copy
import time

from prepaid.billing.v1 import admin_pb2

PAID = ("payment_intent.succeeded", "checkout.session.completed")


def changed(event, number, path="", value=None, **envelope):
    """A copy with an id of its own and one thing of its object changed."""
    copied = copy.deepcopy(event) | {"id": f"evt_changed{number}x{int(time.time_ns())}"} | envelope
    if path:
        at, *names = (copied["data"]["object"], *path.split("."))
        for name in names[:-1]:
            at = at[name]
        at[names[-1]] = value
    return copied


async def kept(wire, event_id):
    """The event as the inbox has it, and its status in words."""
    listed = (await wire.call("ListStripeEvents", page_size=1000, include_payload=True)).events
    [event] = [event for event in listed if event.event_id == event_id]
    return event, admin_pb2.StripeEventStatus.Name(event.status).removeprefix("STRIPE_EVENT_STATUS_")
