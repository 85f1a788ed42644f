"""The upkeep of a live session ends before the session is closed: what it asked for later would meet a hold that is
captured, and end the stream of a close that succeeded with HOLD_CLOSED."""

import asyncio
from types import SimpleNamespace

from billing_service.api.streams import session_upkeep
from billing_service.api.streams.session_upkeep import Upkeep
from billing_service.domain.spending.sessions import Room, Session

FAR_US = 10**18


async def test_a_session_that_is_being_closed_asks_for_no_more(monkeypatch):
    asked, failures, may_grow = [], [], asyncio.Event()

    async def grow(_environment, owned, additional, _lifetime_us):
        asked.append(additional)
        await may_grow.wait()
        owned.session.held += additional

    monkeypatch.setattr(session_upkeep, "grow", grow)
    session = Session(
        "ses", "a", "card", slice=100, held=100, open_time_us=0, expire_time_us=FAR_US, end_time_us=FAR_US
    )
    owned = SimpleNamespace(session=session, grace_us=1)
    environment = SimpleNamespace(clock_us=lambda: 0)
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
