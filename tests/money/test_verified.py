"""What a ledger keeps of ended lots and of clawbacks, and what the proof says when it was tampered with."""

import pytest

from billing_service.domain.spending.deductions import DeductionMode
from billing_service.integrity.verify import verify_ledger
from tests.money.world import BONUS, REFEREES
from tests.support.tampering import tamper

BUYER = REFEREES[0]


async def clawed_back(world):
    """Of two purchases all money is disputed: the first had earned a bonus and was spent in part, the second had
    expired."""
    await world.buy(BUYER, 20, 10, 10, None)
    await world.buy(BUYER, 20, 10, 10, 3)
    world.clock.now_us += 5
    await world.deduct(BUYER, BONUS + 8, DeductionMode.REJECT)
    await world.deduct(BUYER, 30, DeductionMode.UP_TO_AVAILABLE)
    await world.dispute(0, 10)
    await world.dispute(1, 10)


OF_BONUS = "(SELECT referee_lot_id FROM referrals WHERE account_id = 'ben')"
FIRST, SECOND = (f"purchase_id = (SELECT {end}(purchase_id) FROM purchases)" for end in ("min", "max"))
TAMPERINGS = [
    ("expired raised", "UPDATE lots SET expired = expired + 1 WHERE expired > 0", "expired"),
    ("expired forgotten", "UPDATE lots SET expired = 0 WHERE expired > 0", "expired"),
    ("a lot that was taken back is open again", f"UPDATE lots SET ended_to = '' WHERE lot_id = {OF_BONUS}", "ended"),
    (
        "a lot that nobody has comes in its stead",
        f"UPDATE lots SET ended_to = 'lot_x' WHERE lot_id = {OF_BONUS}",
        "ended to a lot",
    ),
    (
        "something is left in it",
        f"UPDATE lots SET remaining = 1, is_open = 1, expire_time_us = NULL WHERE lot_id = {OF_BONUS}",
        "ended with something left",
    ),
    ("less was owed", f"UPDATE purchases SET reversed_debt = reversed_debt - 1 WHERE {FIRST}", "reversed"),
    ("less had expired", f"UPDATE purchases SET reversed_expired = reversed_expired - 1 WHERE {SECOND}", "reversed"),
    (
        "debt had expired",
        f"UPDATE purchases SET reversed_expired = 1, reversed_debt = reversed_debt - 1 WHERE {FIRST}",
        "reversed",
    ),
]


async def test_books_after_clawbacks_are_proven(world, store):
    await clawed_back(world)
    assert (await verify_ledger(store)).differences == []


@pytest.mark.unchecked_ledger
@pytest.mark.parametrize(("statement", "subject"), [row[1:] for row in TAMPERINGS], ids=[row[0] for row in TAMPERINGS])
async def test_tampering_with_what_was_taken_back_shows(world, store, database, statement, subject):
    await clawed_back(world)
    tamper(database, statement)
    found = (await verify_ledger(store)).differences
    assert any(subject in difference.subject for difference in found), found
