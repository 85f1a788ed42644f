"""Events that wait for a payment, and the purchase that binds it: whichever comes first, neither misses the other, and
no row stays."""

import asyncio

import pytest

from billing_service.domain.inbox import EventStatus
from billing_service.storage.rows.events import claim_event, close_event, waiting_events
from billing_service.storage.rows.purchases import CLAIM_REFERENCE, await_reference, claim_reference, find_purchase
from billing_service.storage.statements import Kind, compile_statement, postgresql_dialect
from tests.support.databases import connect_to

BOUND = ("ada", "pur_1")
LEFT_BY_AN_OLDER_PROGRAM = pytest.mark.parametrize("row_left", [False, True])
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def wait_for_it(event_id="evt_1"):
    """What an event does that comes before its purchase knows the payment."""
    yield from claim_event(event_id, "refund.created", b"{}", 1)
    key = yield from await_reference("pi_1")
    yield from close_event(event_id, EventStatus.IGNORED, 1, subject="" if key else "pi_1")
    return key


def bind():
    """What the purchase does; answers the events that waited for it."""
    assert (yield from claim_reference("pi_1", *BOUND))
    return [event.event_id for event in (yield from waiting_events("pi_1"))]


def leave_row():
    yield CLAIM_REFERENCE("pi_1", "", "")


async def references(store):
    def count():
        return (yield from find_purchase("pi_1")), (yield CLAIM_REFERENCE("pi_1", "", "")) == 0

    return await store.write(count)


@LEFT_BY_AN_OLDER_PROGRAM
async def test_one_after_the_other(store, row_left):
    if row_left:
        await store.write(leave_row)
    assert await store.write(wait_for_it) is None
    assert await store.write(wait_for_it) is None
    assert await store.write(bind) == ["evt_1"]
    assert await store.write(lambda: wait_for_it("evt_2")) == BOUND
    assert await store.write(bind) == ["evt_1"]


@LEFT_BY_AN_OLDER_PROGRAM
async def test_a_wait_leaves_no_row(store, row_left):
    if row_left:
        await store.write(leave_row)
    await store.write(wait_for_it)
    assert await references(store) == (None, False)


async def drive(connection, work):
    """Runs a unit of work on a connection, whose transaction stays open."""
    answer = None
    while True:
        try:
            call = work.send(answer)
        except StopIteration as end:
            return end.value
        compiled = compile_statement(call.statement, postgresql_dialect())
        if call.statement.kind is Kind.ROWS:
            answer = [tuple(row) for row in await connection.fetch(compiled.sql, *compiled.arguments(call.values))]
        else:
            answer = int((await connection.execute(compiled.sql, *compiled.arguments(call.values))).split()[-1])


@pytest.mark.parametrize("store_name", ["postgresql"], indirect=True)
@LEFT_BY_AN_OLDER_PROGRAM
async def test_whoever_binds_waits_for_an_event_that_is_about_to_wait(store, database, row_left):
    if row_left:
        await store.write(leave_row)
    event, looker = await connect_to(database.url), await connect_to(database.url)
    try:
        async with event.transaction():
            assert await drive(event, wait_for_it()) is None
            binding = asyncio.ensure_future(store.write(bind))
            async with asyncio.timeout(20):
                while not await looker.fetchval(WAITING):
                    assert not binding.done()
        assert await binding == ["evt_1"]
    finally:
        await event.close()
        await looker.close()


@pytest.mark.parametrize("store_name", ["postgresql"], indirect=True)
@LEFT_BY_AN_OLDER_PROGRAM
async def test_an_event_waits_for_whoever_is_about_to_bind(store, database, row_left):
    if row_left:
        await store.write(leave_row)
    binder, looker = await connect_to(database.url), await connect_to(database.url)
    try:
        async with binder.transaction():
            assert await drive(binder, bind()) == []
            waiting = asyncio.ensure_future(store.write(wait_for_it))
            async with asyncio.timeout(20):
                while not await looker.fetchval(WAITING):
                    assert not waiting.done()
        assert await waiting == BOUND
    finally:
        await binder.close()
        await looker.close()
