"""What gives events their positions and what reads them, struck by faults."""

from prepaid.billing.v1.events_pb2 import ReplayWebhookDeliveriesRequest

from billing_service.feed.delivery import Delivery
from billing_service.feed.head import FeedHead
from billing_service.feed.placing import Placing
from billing_service.feed.tail import Feed
from tests.faults.fault_limits import spend_limit
from tests.faults.fault_operations import account_of, calling, granted, key_of, operation
from tests.support.doubles import SECOND_US
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


class Receiver:
    """A backend that takes everything but the first of its tries."""

    def __init__(self):
        self.taken = []
        self.refuses = True

    async def send(self, _body, headers):
        if self.refuses:
            self.refuses = False
            return "status 500"
        self.taken.append(headers["webhook-id"])
        return ""


@operation("delivered events", unkeyed=True, varies=frozenset({"outbox.position", "webhook_deliveries"}))
async def delivered_events(service, tag):
    """One fails first, and is tried again with those that wait behind it."""
    receiver, clock = Receiver(), [0]

    async def run(now):
        environment = now.environment
        at_us = max(clock[0], environment.clock_us()) + 3_600 * SECOND_US
        clock[0] = at_us
        delivery = Delivery(environment.store, lambda: at_us, receiver, [b"k" * 32], "one", jitter=lambda: 0.0)
        while await delivery._step():  # `run` would leave it to the next one where a lease is lost
            pass

    await run(service)
    await granted(service, account_of(tag))
    for limit in LIMITS[:2]:
        await service.answer("set_spend_limit", spend_limit(tag, limit, f"key-{limit}"))
    await Placing(service.environment.store, FeedHead()).run()

    async def call(now):
        feed, at, made = Feed(now.environment.store, FeedHead()), 0, []
        while events := await feed.read(at):
            at = events[-1].position
            made += [event.event_id for event in events if event.account_id == account_of(tag)]
        for _ in range(4):
            await run(now)
        assert list(dict.fromkeys(each for each in receiver.taken if each in made)) == made
        return [Told(f"{len(made)} delivered in order", replayed=False)]

    return call


@operation("replay deliveries", one_unit=True)
async def replayed_deliveries(service, tag):
    await granted(service, account_of(tag))
    request = ReplayWebhookDeliveriesRequest(account_id=account_of(tag), idempotency_key=key_of(tag))
    return calling("replay_webhook_deliveries", request)


FEED_OPERATIONS = (placed_events, delivered_events, replayed_deliveries)
