"""Delivery of business events as signed webhooks, on both stores: what a receiver gets, in which order, and when."""

from collections import defaultdict
from functools import partial

import pytest

from billing_service.domain.deliveries import FAILURES_MAX, GIVEN_UP_AFTER_US
from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.events import BusinessEvent, EventKind
from billing_service.feed.delivery import LEASE_US, Delivery
from billing_service.feed.head import FeedHead
from billing_service.feed.placing import Placing
from billing_service.jobs.outbox import RETENTION_US, forget_old_events
from billing_service.storage.rows import outbox
from billing_service.storage.rows.webhooks import read_figures
from tests.support.ledger_setup import open_account

HOUR_S = 3_600
KEYS = (b"k" * 32,)


class Receiver:
    """A backend that keeps what it takes."""

    def __init__(self):
        self.taken = []
        self.tried = 0
        self.away = False
        self.refused = set()
        self.during = None

    async def send(self, body, headers):
        self.tried += 1
        if self.during is not None:
            await self.during()
        event_id = headers["webhook-id"]
        assert event_id.encode() in body
        if self.away:
            return "ClientConnectorError"
        if event_id in self.refused:
            return "status 500"
        self.taken.append(event_id)
        return ""

    def by_account(self):
        """Numbers of events, by account, in the order of arrival."""
        found = defaultdict(list)
        for event_id in self.taken:
            _, account, number = event_id.split("_")
            found[account].append(int(number))
        return dict(found)


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def deliver(store, clock, receiver):
    def by(owner="one", **options):
        return Delivery(store, clock, receiver, KEYS, owner, jitter=lambda: 0.0, **options)

    return by


@pytest.fixture
async def happen(store, clock, ids):
    """Makes events `evt_<account>_<number>`, placed in the feed."""
    opened = set()

    async def happened(account, *numbers):
        if account not in opened:
            opened.add(account)
            await open_account(store, account, clock=clock, ids=ids)
        rows = [
            outbox.row_of(
                Account(account),
                BusinessEvent(f"evt_{account}_{number:03}", EventKind.DEBT, clock.now_us, "txn", {"n": number}),
            )
            for number in numbers
        ]
        await store.write(partial(_insert, rows))
        await Placing(store, FeedHead()).run()

    return happened


def _insert(rows):
    assert (yield outbox.INSERT.many(rows)) == len(rows)


async def test_what_happened_before_the_first_start_is_not_sent_and_the_rest_is(deliver, happen, receiver):
    await happen("a", 1)
    delivery = deliver()
    await delivery.run()
    await happen("a", *range(2, 100))
    await happen("b", 1, 2)
    await delivery.run()
    assert receiver.by_account() == {"a": list(range(2, 100)), "b": [1, 2]}
    await delivery.run()
    assert receiver.tried == 100


async def test_nothing_is_lost_when_the_receiver_is_away_for_a_day(deliver, happen, receiver, store, clock):
    delivery = deliver()
    await delivery.run()
    receiver.away = True
    for hour in range(24):
        for account in ("a", "b", "c", "d", "e"):
            await happen(account, hour)
        for _ in range(60):
            clock.advance_s(60)
            await delivery.run()
    assert receiver.taken == []
    assert receiver.tried < 700, "an endpoint that is away is asked every five minutes"
    figures = await store.read(read_figures)
    assert figures.dead == 0
    assert clock.now_us - figures.oldest_time_us >= 23 * HOUR_S * 1_000_000
    receiver.away = False
    clock.advance_s(300)
    await delivery.run()
    assert receiver.by_account() == {account: list(range(24)) for account in "abcde"}
    assert (await store.read(read_figures))[:2] == (0, 0)


async def test_an_event_that_fails_holds_up_its_account_alone_and_dies_after_days(
    deliver, happen, receiver, store, clock
):
    delivery = deliver()
    await delivery.run()
    receiver.refused.add("evt_a_001")
    await happen("a", 1, 2)
    await happen("b", 1, 2)
    await delivery.run()
    await happen("a", 3)
    await delivery.run()
    assert receiver.by_account() == {"b": [1, 2]}
    assert (await store.read(read_figures))[:2] == (3, 0)
    begun_us = clock.now_us
    while clock.now_us - begun_us < GIVEN_UP_AFTER_US:
        assert "a" not in receiver.by_account()
        clock.advance_s(HOUR_S)
        await delivery.run()
    clock.advance_s(300)
    await delivery.run()
    assert receiver.by_account() == {"a": [2, 3], "b": [1, 2]}
    assert (await store.read(read_figures))[:2] == (0, 1)


async def test_events_that_alone_fail_hold_up_no_other_account_however_quiet_it_is(deliver, happen, receiver, clock):
    delivery = deliver()
    await delivery.run()
    for account in "abcd":
        receiver.refused.add(f"evt_{account}_001")
        await happen(account, 1, 2)
    for _ in range(10):
        await delivery.run()
        clock.advance_s(HOUR_S)
    await happen("e", 1, 2)
    clock.advance_s(300)
    await delivery.run()
    assert receiver.by_account() == {"e": [1, 2]}


async def test_a_failure_that_passes_is_over_soon_and_the_order_stands(deliver, happen, receiver, clock):
    delivery = deliver()
    await delivery.run()
    receiver.refused.add("evt_a_001")
    await happen("a", 1, 2, 3)
    await delivery.run()
    receiver.refused.clear()
    await delivery.run()
    assert receiver.taken == [], "not before its time"
    clock.advance_s(5)
    await delivery.run()
    assert receiver.by_account() == {"a": [1, 2, 3]}


async def test_one_process_delivers_at_a_time_and_another_follows_it(deliver, happen, receiver, clock):
    first, second = deliver("one"), deliver("two")
    await first.run()
    await happen("a", 1)
    await second.run()
    assert receiver.taken == []
    await first.leave()
    await second.run()
    assert receiver.by_account() == {"a": [1]}
    await happen("a", 2)
    await first.run()
    assert receiver.by_account() == {"a": [1]}
    clock.now_us += LEASE_US  # the second died
    await first.run()
    assert receiver.by_account() == {"a": [1, 2]}


async def test_who_lost_its_lease_notes_nothing_and_nothing_is_lost(deliver, happen, receiver, store, clock):
    first, second = deliver("one"), deliver("two")
    await first.run()
    await happen("a", 1, 2)

    async def overtake():
        receiver.during = None
        clock.now_us += LEASE_US
        await second.run()
        receiver.refused.add("evt_a_001")

    receiver.during = overtake
    await first.run()
    assert receiver.by_account() == {"a": [1, 2]}
    assert (await store.read(read_figures))[:2] == (0, 0), "what the other one delivered does not wait"
    await happen("a", 3)
    await second.run()
    assert receiver.by_account() == {"a": [1, 2, 3]}


async def test_a_process_that_dies_in_the_middle_sends_again_and_misses_none(deliver, happen, receiver, clock):
    delivery = deliver()
    await delivery.run()
    await happen("a", *range(1, 11))

    async def die():
        if len(receiver.taken) == 4:
            receiver.during = None
            raise RuntimeError("killed")

    receiver.during = die
    with pytest.raises(BaseExceptionGroup):
        await delivery.run()
    clock.now_us += LEASE_US
    await deliver("two").run()
    assert receiver.by_account()["a"] == [1, 2, 3, 4, *range(1, 11)]


async def test_an_endpoint_that_is_away_is_tried_with_one_event_at_a_time(deliver, happen, receiver, clock):
    delivery = deliver()
    await delivery.run()
    receiver.away = True
    for account in range(20):
        await happen(f"a{account}", 1)
    await delivery.run()
    first = receiver.tried
    assert FAILURES_MAX <= first <= FAILURES_MAX + 8, "what was under way when it was found to be away"
    await delivery.run()
    assert receiver.tried == first
    clock.advance_s(5)
    await delivery.run()
    assert receiver.tried == first + 1
    receiver.away = False
    clock.advance_s(10)
    await delivery.run()
    assert len(receiver.taken) == len(set(receiver.taken)) == 20


async def test_what_is_forgotten_after_its_days_leaves_no_row(deliver, happen, receiver, store, clock):
    delivery = deliver()
    await delivery.run()
    receiver.refused.add("evt_a_001")
    await happen("a", 1)
    await delivery.run()
    clock.now_us += RETENTION_US + 1
    await forget_old_events(store, clock)
    assert (await store.read(read_figures)) == (0, 0, None)


async def test_a_slow_receiver_is_left_before_the_lease_ends(store, clock, happen, receiver):
    seconds = [0.0]

    async def slow():
        seconds[0] += 30

    delivery = Delivery(store, clock, receiver, KEYS, "one", jitter=lambda: 0.0, now_s=lambda: seconds[0])
    await delivery.run()
    await happen("a", 1, 2, 3, 4, 5)
    receiver.during = slow
    await delivery.run()
    assert receiver.by_account() == {"a": [1, 2, 3, 4, 5]}
