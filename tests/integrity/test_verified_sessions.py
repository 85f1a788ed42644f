"""Verification compares what sessions acknowledged with what their holds were charged."""

from dataclasses import replace

import pytest

from billing_service.domain.spending.holds import Author, HoldMode, HoldTerms
from billing_service.domain.spending.sessions import Tick
from billing_service.integrity.verify import verify_ledger
from billing_service.ledger.keys import IdempotencyKey, fingerprint
from billing_service.ledger.operations.holds import HoldCredits
from billing_service.ledger.operations.sessions import CloseSession
from billing_service.ledger.ticks import TickWriter
from billing_service.ledger.writer import LedgerWriter
from billing_service.storage.rows.sessions import insert_session
from tests.support.doubles import SECOND_US
from tests.support.ledger_setup import give, open_account
from tests.support.tampering import tamper

pytestmark = pytest.mark.unchecked_ledger


def key_of(name):
    return IdempotencyKey("acme", name, "tests/MeterSession", fingerprint(name))


async def opened(store, writer, name):
    asked = HoldTerms(40, HoldMode.REJECT, 1, 60 * SECOND_US, 0, prefix="ses")
    held = HoldCredits("acme", asked, key_of(name), Author("tests"), lambda changed, _: changed.hold.hold_id.encode())
    session_id = (await writer.submit(held)).reply.decode()
    row = ("acme", session_id, b"hash", 1, 0, 0, 0, "", "", "card", 10, 5, name, "", None)
    await store.write(lambda: insert_session(row))
    return session_id


@pytest.fixture
async def metered(store, clock, ids):
    """A session that is open, one that was closed, and two that their time ended, of which one went past its hold."""
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=1_000)
    writer = LedgerWriter(store, clock, ids, batch_max=16, wait_s=0)
    ticks = TickWriter(store, batch_max=16, wait_s=0)
    sessions = {name: await opened(store, writer, name) for name in ("closed", "expired", "outrun")}
    for name, charged in (("closed", 5), ("expired", 30), ("outrun", 50)):
        tick = Tick("acme", sessions[name], 1, 1, charged, "", b"")
        assert (await ticks.submit(tick)).has(tick)
    closing = CloseSession("acme", sessions["closed"], 7, None, None, key_of("end"), Author("tests"), lambda *_: b"")
    await writer.submit(closing)
    clock.advance_s(61)
    await give(store, "acme", 1, clock=clock, ids=ids)
    await writer.submit(replace(closing, hold_id=sessions["expired"], amount=35, key=key_of("late")))
    sessions["open"] = await opened(store, writer, "open")
    await ticks.close()
    await writer.close()
    return store, sessions


async def test_what_sessions_say_is_proved(metered):
    assert not (await verify_ledger(metered[0])).differences


TAMPERINGS = {
    "no hold": ("UPDATE sessions SET session_id = 'ses_x' WHERE session_id = '{open}'", "hold of session ses_x"),
    "closed early": ("UPDATE sessions SET closed = 1 WHERE session_id = '{open}'", "session {open} closed"),
    "still open": ("UPDATE sessions SET closed = 0 WHERE session_id = '{expired}'", "session {expired} closed"),
    "no tick": ("UPDATE sessions SET charged = 5 WHERE session_id = '{open}'", "session {open} charged without a tick"),
    "charged less": ("UPDATE sessions SET charged = 29 WHERE session_id = '{expired}'", "session {expired} covered"),
    "charged more": ("UPDATE sessions SET charged = 31 WHERE session_id = '{expired}'", "session {expired} covered"),
    "less than the hold": (
        "UPDATE sessions SET charged = 39 WHERE session_id = '{outrun}'",
        "session {outrun} covered",
    ),
}


@pytest.mark.parametrize("case", TAMPERINGS)
async def test_what_a_session_says_beside_its_hold_shows(metered, database, case):
    store, sessions = metered
    statement, subject = (text.format(**sessions) for text in TAMPERINGS[case])
    tamper(database, statement)
    report = await verify_ledger(store)
    assert [difference.subject for difference in report.differences] == [subject]
