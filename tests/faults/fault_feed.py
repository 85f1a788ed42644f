"""What gives events their positions and what reads them, struck by faults."""

from billing_service.feed.head import FeedHead
from billing_service.feed.placing import Placing
from billing_service.feed.tail import Feed
from tests.faults.fault_limits import spend_limit
from tests.faults.fault_operations import account_of, granted, operation
from tests.support.fault_service import Told

LIMITS = (50, 60, 70)


@operation("placed events", unkeyed=True, varies=frozenset({"outbox.position"}))
async def placed_events(service, tag):
    """Each change of a limit is an event."""
    await granted(service, account_of(tag))
    for limit in LIMITS:
        await service.answer("set_spend_limit", spend_limit(tag, limit, f"key-{limit}"))

    async def call(now):
        store, head = now.environment.store, FeedHead()
        await Placing(store, head).run()
        feed = Feed(store, head)
        at, found = await feed.begin(None, from_now=False), []
        while events := await feed.read(at):
            at = events[-1].position
            found += [event.detail["limit_microcredits"] for event in events if event.account_id == account_of(tag)]
        assert found == list(LIMITS)
        return [Told(f"{len(found)} events in order", replayed=False)]

    return call


FEED_OPERATIONS = (placed_events,)
