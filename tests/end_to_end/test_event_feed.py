"""TailEvents over a real socket, on both stores: what is sent and in which order, resumption, and what ends it."""

import asyncio
from functools import partial

import pytest
from billing_client import EventKind
from billing_client.errors import InvalidField, PositionExpired

from billing_service.domain.ledger.events import EventKind as StoredKind
from billing_service.feed.head import FeedHead
from billing_service.feed.placing import Placing
from billing_service.feed.tail import position_text
from billing_service.jobs.outbox import RETENTION_US, forget_old_events
from billing_service.storage.rows import outbox
from billing_service.storage.rows.feed import LOCK, place, read_marks
from billing_service.storage.statements import compile_statement, postgresql_dialect
from tests.end_to_end.money import ALLOW_DEBT, deduct, grant
from tests.end_to_end.test_watch_balance import NOBODY_SWEEPS
from tests.support.databases import connect_to
from tests.support.stack import CREDIT, running_stack
from tests.support.tailing import Tail
from tests.support.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

DEBT, PURCHASE = EventKind.EVENT_KIND_DEBT, EventKind.EVENT_KIND_PURCHASE_COMPLETED


async def indebt(wire, account_id, times=1):
    """Makes the account owe something for so many times; answers the transactions."""
    made = []
    for _ in range(times):
        await grant(wire, account_id, 2)
        made.append((await deduct(wire, account_id, 3, ALLOW_DEBT)).transaction_id)
        await grant(wire, account_id, 1)
    return made


async def test_an_event_is_sent_as_it_was_stored(stack, wire, new_account):
    account_id = new_account()
    tail = Tail(wire, account_id=account_id)
    assert not (await tail.message()).HasField("event"), "the first message says where the stream begins"
    bought = await stack.buy(account_id)
    event = await tail.next()
    assert (event.kind, event.account_id, event.account_version) == (PURCHASE, account_id, 1)
    assert event.subject_id == bought.purchase_id
    assert event.detail == {"credits_microcredits": str(1_000 * CREDIT), "paid_minor": "1000", "currency": "usd"}
    assert event.event_id.startswith("evt_")
    assert event.create_time.ToMicroseconds() > bought.create_time.ToMicroseconds()
    tail.end()


async def test_a_consumer_resumes_after_its_position_and_misses_none(wire, new_account):
    account_id = new_account()
    made = await indebt(wire, account_id, 5)
    position, seen = "", []
    while len(seen) < len(made):
        tail = Tail(wire, account_id=account_id, after=position)
        seen.append((await tail.next()).subject_id)
        position = tail.position
        tail.end()
    assert seen == made


async def test_only_what_is_asked_for_is_sent(stack, wire, new_account):
    account_id, other = new_account(), new_account()
    tail, all_of_it = Tail(wire, account_id=account_id, kinds=[DEBT]), Tail(wire, from_now=True)
    await asyncio.gather(tail.message(), all_of_it.message())
    await stack.buy(account_id)
    (theirs,) = await indebt(wire, other)
    found = [await all_of_it.next() for _ in range(2)]
    spent = await deduct(wire, account_id, 1_001, ALLOW_DEBT)
    assert (await tail.next()).subject_id == spent.transaction_id
    found.append(await all_of_it.next())
    mine = [event.kind for event in found if event.account_id == account_id]
    assert mine == [PURCHASE, DEBT]
    assert [event.subject_id for event in found if event.account_id == other] == [theirs]
    tail.end()
    all_of_it.end()


async def test_a_position_that_was_never_given_is_refused(stack, wire):
    last = (await stack.service.environment.store.read(read_marks)).last_position
    with pytest.raises(InvalidField) as refused:
        await Tail(wire, after=position_text(last + 1_000)).message()
    ((field, _),) = refused.value.violations
    assert field == "after"


async def test_a_drain_ends_it_with_a_word_on_how_to_go_on(database):
    async with running_stack(database.url, **NOBODY_SWEEPS) as stack, Wire(stack.service.address) as wire:
        tail = Tail(wire)
        await tail.message()
        stopping = asyncio.ensure_future(stack.service.server.stop())
        with pytest.raises(Exception, match="resume after") as ended:
            await tail.message()
        assert (ended.value.status.name, ended.value.reason) == ("UNAVAILABLE", "SHUTTING_DOWN")
        await stopping
        admission = stack.service.server.edge.admission
        assert admission.feed_consumers == admission.in_flight == 0


async def test_a_position_is_good_until_events_after_it_are_forgotten(database):
    async with running_stack(database.url, **NOBODY_SWEEPS) as stack, Wire(stack.service.address) as wire:
        environment = stack.service.environment
        old_us = environment.clock_us() - RETENTION_US - 1
        await grant(wire, "acme", 1)

        def rows(ages):
            made = [("acme", f"evt_{at}", 1, int(StoredKind.DEBT), at, f"txn_{at}", "{}", 0) for at in ages]
            assert (yield outbox.INSERT.many(made)) == len(made)

        await environment.store.write(partial(rows, [old_us - 2, old_us - 1, old_us + 3_600_000_000]))
        tail, positions = Tail(wire), []
        for _ in range(3):
            await tail.next()
            positions.append(tail.position)
        await forget_old_events(environment.store, environment.clock_us)
        with pytest.raises(PositionExpired):
            await Tail(wire, after=positions[0]).message()
        for after in ("", positions[1]):
            assert (await Tail(wire, after=after).next()).subject_id == f"txn_{old_us + 3_600_000_000}"


async def test_what_commits_late_is_sent_though_its_id_is_older(database):
    """A transaction writes its event, waits, and commits after others whose events are newer and were read."""
    if database.store != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    async with running_stack(database.url, **NOBODY_SWEEPS) as stack, Wire(stack.service.address) as wire:
        await grant(wire, "late", 1)
        tail = Tail(wire)
        await tail.message()
        connection = await connect_to(database.url)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("INSERT INTO outbox VALUES ('late', 'evt_0', 1, 3, 1, 'txn_late', '{}', 0)")
        (first,) = await indebt(wire, "quick")
        assert (await tail.next()).subject_id == first
        await transaction.commit()
        await connection.close()
        assert (await tail.next()).subject_id == "txn_late"
        assert [event.subject_id for event in await everything(wire, 2)] == [first, "txn_late"]


async def everything(wire, count):
    tail = Tail(wire)
    return [await tail.next() for _ in range(count)]


async def test_several_processes_place_each_event_once_and_each_account_s_in_order(database):
    async with running_stack(database.url, BILLING_LOG_LEVEL="ERROR") as stack, Wire(stack.service.address) as wire:
        store = stack.service.environment.store
        made = {f"account-{n}": await indebt(wire, f"account-{n}", 4) for n in range(3)}
        await asyncio.gather(*(Placing(store, FeedHead()).run() for _ in range(4)))
        events = await everything(wire, 12)
        assert {a: [e.subject_id for e in events if e.account_id == a] for a in made} == made
        assert (await store.read(read_marks)).last_position == 12


async def test_an_account_s_events_come_in_the_order_of_its_versions(database):
    """Also where a process made the later one by a clock that is behind: then its id is smaller."""
    async with running_stack(database.url, **NOBODY_SWEEPS) as stack, Wire(stack.service.address) as wire:
        for _ in range(3):
            await grant(wire, "acme", 1)

        def rows():
            made = [("acme", f"evt_{9 - at}", at, int(StoredKind.DEBT), at, f"txn_{at}", "{}", 0) for at in (3, 1, 2)]
            assert (yield outbox.INSERT.many(made)) == len(made)

        await stack.service.environment.store.write(rows)
        assert [event.account_version for event in await everything(wire, 3)] == [1, 2, 3]


async def test_who_places_events_locks_the_feed_first():
    """So positions come into sight in their order, on every database."""
    unit = place(10)
    first = next(unit)
    assert first.statement is LOCK
    assert "FOR UPDATE" in compile_statement(LOCK, postgresql_dialect()).sql
    unit.send([(7,)])
    placed = unit.send([("acme", "evt_1"), ("acme", "evt_2")])
    assert placed.values == (("acme", "evt_1", 0, 8), ("acme", "evt_2", 0, 9))
