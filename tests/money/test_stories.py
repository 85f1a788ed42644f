"""There and back: a refund that Stripe refuses, or that fails later, leaves everybody what they had, whatever paid for
what meanwhile."""

import pytest

from billing_service.domain.spending.deductions import DeductionMode
from tests.money.world import ACCOUNTS, BONUS, POLICY, REFEREES, REFERRER

BUYER = REFEREES[0]
SPENT = [0, 1, 3, 8, 13, BONUS + 11, 30]
"""Of 1 given, 10 bought and 10 of bonus; the last one leaves debt."""


@pytest.mark.parametrize("refused_at_once", [True, False], ids=["refused", "failed"])
@pytest.mark.parametrize("vested", [True, False], ids=["vested", "waiting"])
@pytest.mark.parametrize("lasts_us", [None, POLICY.vesting_delay_us + 3], ids=["for good", "ends"])
@pytest.mark.parametrize("spent", SPENT)
async def test_a_refund_that_comes_to_nothing_changes_nothing(*, world, spent, lasts_us, vested, refused_at_once):
    await world.buy(BUYER, 10, 10, 10, lasts_us)
    world.clock.now_us += POLICY.vesting_delay_us if vested else 0
    for account_id in (BUYER, REFERRER):
        await world.do("deduct", account_id, spent, DeductionMode.ALLOW_DEBT)
    before = await world.shown()
    await world.do("refund", 0, "WITH_DEBT", None, "refused" if refused_at_once else "pending")
    if not refused_at_once:
        assert await world.shown() != before
        await world.move_refund(0, 0, "FAILED")
    assert dict(zip(ACCOUNTS, await world.shown(), strict=True)) == dict(zip(ACCOUNTS, before, strict=True))
