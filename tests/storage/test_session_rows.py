"""Ticks are their owner's alone, and a session closes only with all that was acknowledged of it."""

import pytest

from billing_service.domain.ledger.holds import Hold, HoldState, SessionEnd
from billing_service.domain.spending.sessions import Owner, Tick
from billing_service.ledger.ticks import TickWriter
from billing_service.storage.rows.session_charges import close_sessions, read_charges
from billing_service.storage.rows.sessions import insert_session, take_over, write_ticks

IDS = ["ses_1", "ses_2", "ses_3"]


def hold(session_id, acknowledged):
    return Hold(
        session_id, HoldState.EXPIRED, 100, 0, 100, 0, late_captured=False, create_time_us=1, expire_time_us=2,
        caller="c", description="", metadata="", legs=[], end_transaction_id="txn_1",
        session_end=SessionEnd(acknowledged, acknowledged),
    )  # fmt: skip


def tick(session_id, sequence, epoch=1, charged=50):
    return Tick("a", session_id, epoch, sequence, charged, f"usage {sequence}", b"record")


@pytest.fixture
async def opened(store):
    """A store with three sessions of one account, open and owned by epoch 1."""

    def work():
        for session_id in IDS:
            yield from insert_session(("a", session_id, b"hash", 1, 0, 0, 0, "", "", "card", 10, 5, "key", "", None))

    await store.write(work)
    return store


def rows(store, session_id):
    def work():
        return (yield from write_ticks([tick(session_id, 0, epoch=0)]))

    return store.write(work)


async def closed(store, *ended):
    def work():
        return (yield close_sessions([("a", each) for each in ended]))

    return await store.write(work)


async def test_a_tick_of_a_former_owner_is_not_written_and_stops_no_other(opened):
    assert await opened.write(lambda: take_over("a", "ses_2", 1, b"new"))
    assert not await opened.write(lambda: take_over("a", "ses_2", 1, b"late")), "one of two becomes the owner"
    ticks = [tick("ses_1", 4), tick("ses_2", 4), tick("ses_3", 4), tick("ses_none", 1)]
    owners = await opened.write(lambda: write_ticks(ticks))
    assert [owner is not None and owner.has(each) for owner, each in zip(owners, ticks, strict=True)] == [
        True, False, True, False,
    ]  # fmt: skip
    assert (await rows(opened, "ses_2"))[0] == Owner(2, closed=False, sequence=0)


async def test_a_session_closes_with_what_was_read_or_not_at_all(opened):
    await opened.write(lambda: write_ticks([tick("ses_1", 1, charged=50), tick("ses_2", 1, charged=70)]))
    assert await closed(opened, hold("ses_1", 49), hold("ses_2", 70)) == 1, "ses_1 went on after it was read"
    assert await closed(opened, hold("ses_1", 50)) == 1
    assert await closed(opened, hold("ses_1", 50)) == 0, "once"
    late = tick("ses_1", 2)
    (owner,) = await opened.write(lambda: write_ticks([late]))
    assert owner == Owner(1, closed=True, sequence=1)
    assert not owner.has(late), "nothing is acknowledged of a closed session"


async def test_ticks_of_one_batch_are_told_apart_by_owner_and_sequence(opened):
    await opened.write(lambda: take_over("a", "ses_1", 1, b"new"))
    writer = TickWriter(opened, batch_max=10, wait_s=0)
    ticks = [tick("ses_1", 3, epoch=2), tick("ses_1", 9, epoch=1), tick("ses_1", 5, epoch=2), tick("ses_2", 1)]
    waiting = [writer.submit(each) for each in ticks]
    owners = [await each for each in waiting]
    await writer.close()
    assert [owner.has(each) for owner, each in zip(owners, ticks, strict=True)] == [True, False, True, True]
    assert (await rows(opened, "ses_1"))[0].sequence == 5


async def test_charges_are_read_with_their_accounts(opened):
    def work():
        return (yield read_charges([("a", hold("ses_1", None))]))

    assert await opened.read(work) == [], "there is no such account"
