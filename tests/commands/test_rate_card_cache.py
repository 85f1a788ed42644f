"""The card that prices a usage, as each process knows it: two processes on one database never price by two cards at one
moment."""

import asyncio
import json

import pytest

from billing_service.commands.rate_card_cache import CARDS_MAX, VERSIONS_FRESH_S, CardDamagedError, RateCardCache
from billing_service.domain.catalogue.rate_card_files import read_card
from billing_service.domain.catalogue.rate_card_packing import packed
from billing_service.domain.catalogue.rate_card_text import card_text
from billing_service.domain.catalogue.rate_card_versions import NOTICE_US, StoredCard, in_force_time_us
from billing_service.domain.refusals import Failure, Reason, Refusal, storage_unavailable
from billing_service.domain.spending.pricing import OCCUR_WINDOW_US, TimeBasis
from billing_service.storage.rows.rate_cards import RATE_CARDS, last_position
from tests.support.doubles import SECOND_US, START_US, FakeClock, FakeMonotonic
from tests.support.rate_card_examples import BY_HAND


def text_of(version):
    return card_text(read_card(json.dumps(json.loads(BY_HAND) | {"version": version})))


async def create(store, version, in_force_us, content=None):
    def work():
        position = (yield from last_position()) + 1
        card_file = packed(text_of(version)) if content is None else content
        yield from RATE_CARDS.add(
            StoredCard(version, position, in_force_us, in_force_us, START_US, "by hand", 0, 1, card_file)
        )

    await store.write(work)


class Counting:
    """A store whose reads are counted, and may fail."""

    def __init__(self, store):
        self._store = store
        self.reads, self.failing, self.meanwhile = 0, False, lambda: None

    async def read(self, work):
        self.reads += 1
        await asyncio.sleep(0)
        self.meanwhile()
        if self.failing:
            raise storage_unavailable()
        return await self._store.read(work)


class Process:
    """A cache with clocks of its own."""

    def __init__(self, store):
        self.clock, self.monotonic, self.store = FakeClock(), FakeMonotonic(), Counting(store)
        self.cards = RateCardCache(self.store, self.clock, monotonic=self.monotonic)

    def advance_s(self, seconds):
        self.clock.advance_s(seconds)
        self.monotonic.now += seconds

    async def version(self, occur_time_us=None):
        return (await self.cards.for_usage(occur_time_us)).card.version


@pytest.fixture
def process(store):
    return Process(store)


async def test_without_a_card_nothing_has_a_price(process):
    with pytest.raises(Refusal) as refused:
        await process.version()
    assert refused.value.reason is Reason.PRICE_MISSING
    assert refused.value.metadata == {"missing": "rate_card"}


async def test_a_list_that_is_too_old_prices_nothing(process, store):
    await create(store, "a", 0)
    assert await process.version() == "a"
    process.store.failing = True
    process.advance_s(VERSIONS_FRESH_S - 0.001)
    assert await process.version() == "a"
    process.advance_s(0.001)
    with pytest.raises(Failure) as failed:
        await process.version()
    assert failed.value.reason is Reason.STORAGE_UNAVAILABLE
    process.store.failing = False
    assert await process.version() == "a"


async def test_a_list_is_as_old_as_the_question_for_it(process, store):
    await create(store, "a", 0)
    process.store.meanwhile = lambda: process.advance_s(1)
    await process.version()
    reads = process.store.reads
    process.advance_s(VERSIONS_FRESH_S - 2.001)  # the list and the card took a second each
    await process.version()
    assert process.store.reads == reads
    process.advance_s(0.001)
    await process.version()
    assert process.store.reads == reads + 1


@pytest.mark.parametrize("content", [b"", b"{}", packed("{")])
async def test_a_card_that_was_damaged_prices_nothing(process, store, content):
    await create(store, "a", 0, content)
    for _ in range(2):
        with pytest.raises(CardDamagedError, match="rate card a: "):
            await process.version()


async def test_every_process_changes_to_a_new_card_at_one_moment(store):
    processes = [Process(store) for _ in range(2)]
    await create(store, "a", 0)
    assert [await process.version() for process in processes] == ["a", "a"]
    processes[1].advance_s(VERSIONS_FRESH_S - 0.001)  # the second's list is about to be too old
    processes[1].clock.now_us = processes[0].clock.now_us
    begin_us = in_force_time_us(0, START_US)
    await create(store, "b", begin_us)
    for _ in range(40):
        for process in processes:
            process.advance_s(0.25)
        expected = "b" if processes[0].clock() >= begin_us else "a"
        assert [await process.version() for process in processes] == [expected, expected]
    assert processes[0].clock() >= begin_us


def test_each_process_knows_a_card_before_it_prices():
    assert VERSIONS_FRESH_S * SECOND_US * 2 == NOTICE_US


async def test_a_usage_of_the_last_day_is_priced_by_the_card_of_its_time(process, store):
    day_ago = START_US - OCCUR_WINDOW_US
    await create(store, "a", 0)
    await create(store, "b", START_US - 60 * SECOND_US)
    await create(store, "later", START_US + 1)
    cases = [
        (None, "b", START_US, TimeBasis.RECEIVED),
        (START_US, "b", START_US, TimeBasis.OCCURRED),
        (START_US - 60 * SECOND_US, "b", START_US - 60 * SECOND_US, TimeBasis.OCCURRED),
        (START_US - 60 * SECOND_US - 1, "a", START_US - 60 * SECOND_US - 1, TimeBasis.OCCURRED),
        (day_ago, "a", day_ago, TimeBasis.OCCURRED),
        (day_ago - 1, "b", START_US, TimeBasis.RECEIVED),
        (START_US + 1, "b", START_US, TimeBasis.RECEIVED),
    ]
    for occur_us, version, time_us, basis in cases:
        found = await process.cards.for_usage(occur_us)
        assert (found.card.version, found.time_us, found.time_basis) == (version, time_us, basis)


async def test_a_hundred_callers_read_the_list_and_the_card_once(process, store):
    await create(store, "a", 0)
    assert set(await asyncio.gather(*(process.version() for _ in range(100)))) == {"a"}
    assert process.store.reads == 2
    process.advance_s(VERSIONS_FRESH_S)
    assert set(await asyncio.gather(*(process.version() for _ in range(100)))) == {"a"}
    assert process.store.reads == 3


async def test_a_caller_that_hangs_up_takes_nothing_from_the_others(process, store):
    await create(store, "a", 0)
    first, second = (asyncio.ensure_future(process.version()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "a"
    assert first.cancelled()


async def test_memory_holds_the_cards_used_last(process, store):
    versions = [str(number) for number in range(CARDS_MAX + 1)]
    for number, version in enumerate(versions):
        await create(store, version, START_US - (len(versions) - number) * SECOND_US)
    times = [START_US - (len(versions) - number) * SECOND_US for number in range(len(versions))]
    for time_us in times[:CARDS_MAX]:
        await process.version(time_us)
    await process.version(times[0])  # used again, so that the second is the one to go
    await process.version(times[CARDS_MAX])
    reads = process.store.reads
    assert await process.version(times[0]) == versions[0]
    assert process.store.reads == reads
    assert await process.version(times[1]) == versions[1]
    assert process.store.reads == reads + 1
