"""The upkeep of a live session ends before the session is closed: what it asked for later would meet a hold that is
captured, and end the stream of a close that succeeded with HOLD_CLOSED. Meanwhile nothing counts twice."""

import asyncio
from types import SimpleNamespace

from billing_service.api.streams import session_upkeep
from billing_service.api.streams.session_upkeep import Upkeep
from billing_service.domain.ledger.spend_limits import SpendLimit
from billing_service.domain.spending.limits import Standing
from billing_service.domain.spending.sessions import Room, Session, left
from billing_service.domain.spending.windows import SpendWindow

FAR_US = 10**18


def live(clock_us=0):
    """An environment, and what is owned of a session with a hold of 100."""
    session = Session(
        "ses", "a", "card", slice=100, held=100, open_time_us=0, expire_time_us=FAR_US, end_time_us=FAR_US
    )
    return SimpleNamespace(clock_us=lambda: clock_us), SimpleNamespace(session=session, grace_us=1)


async def test_what_a_hold_grew_by_is_no_room_any_more_while_the_limit_is_looked_at(monkeypatch):
    async def grow(_environment, owned, additional, _lifetime_us):
        owned.session.held += additional

    looking, may_look = asyncio.Event(), asyncio.Event()

    class Rooms:
        async def look(self, _payer):
            looking.set()
            await may_look.wait()
            return Room(920)

    monkeypatch.setattr(session_upkeep, "grow", grow)
    environment, owned = live()
    limit = Standing(SpendLimit("", SpendWindow.NONE, 1_000, 0, 0, 0), 0, None)
    upkeep = Upkeep(environment, Rooms(), owned, Room(1_000, limit=limit), send=lambda _message: None, fail=print)
    owned.session.charged = 80
    upkeep.settle()
    await looking.wait()
    assert (owned.session.held, left(owned.session, upkeep.room)) == (180, 1_100 - 80)
    may_look.set()
    await upkeep.wait()


async def test_a_session_that_is_being_closed_asks_for_no_more(monkeypatch):
    asked, failures, may_grow = [], [], asyncio.Event()

    async def grow(_environment, owned, additional, _lifetime_us):
        asked.append(additional)
        await may_grow.wait()
        owned.session.held += additional

    monkeypatch.setattr(session_upkeep, "grow", grow)
    environment, owned = live()
    session = owned.session
    upkeep = Upkeep(environment, None, owned, Room(1_000), send=lambda _message: None, fail=failures.append)
    session.charged = 80
    upkeep.settle()
    await asyncio.sleep(0)
    assert asked == [80], "it grows before it is used up"
    finishing = asyncio.ensure_future(upkeep.finish())
    await asyncio.sleep(0)
    assert not finishing.done(), "what was asked for is waited for"
    session.charged = 150
    may_grow.set()
    await finishing
    upkeep.see(Room(2_000))
    upkeep.settle()
    await asyncio.sleep(0)
    assert (asked, failures) == ([80], [])
