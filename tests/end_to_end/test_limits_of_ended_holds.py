"""Spend limits where holds have ended that nobody has booked, and charges that are undone when windows have ended, on
both stores."""

import pytest

from tests.end_to_end.holding import FROM_AVAILABLE, capture, hold
from tests.end_to_end.money import deduct, grant, undo
from tests.end_to_end.test_rules_of_ended_holds import MINUTE_US, product, shift  # noqa: F401 - fixtures
from tests.end_to_end.test_spend_limits import DAY, NONE, TEAM, limited, used
from tests.support.doubles import DAY_US

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_limits_change_while_a_hold_has_ended_that_nobody_booked(product, new_account, shift):  # noqa: F811
    _, wire = product
    account_id = new_account()
    await grant(wire, account_id, 1_000)
    for spender_id in ("", TEAM):
        await limited(wire, account_id, 100, NONE, spender_id)
    for set_to, left in ((50, {("", NONE): 0, (TEAM, NONE): 0}), (None, {("", NONE): 0})):
        await hold(wire, account_id, 40, spender_ids=[TEAM])
        shift[0] += 11 * MINUTE_US
        told = (await limited(wire, account_id, set_to, NONE, TEAM)).spend_limits
        assert [each.used_microcredits for each in told] == [0] * (set_to is not None)
        assert await used(wire, account_id) == left


async def test_what_was_charged_above_a_hold_is_given_back_in_the_window_of_its_capture(
    product,  # noqa: F811
    new_account,
    shift,  # noqa: F811
):
    _, wire = product
    account_id = new_account()
    await grant(wire, account_id, 1_000)
    held = await hold(wire, account_id, 10, ttl="86400s")
    shift[0] += DAY_US - MINUTE_US
    await limited(wire, account_id, 100, DAY)
    charge = await capture(wire, account_id, held, 30, FROM_AVAILABLE)
    await deduct(wire, account_id, 5)
    assert await used(wire, account_id) == {("", DAY): 25}
    await undo(wire, account_id, charge, amount_microcredits=12_000_000)
    assert await used(wire, account_id) == {("", DAY): 13}
    await undo(wire, account_id, charge)
    assert await used(wire, account_id) == {("", DAY): 5}, "what the hold had reserved counted before there was a limit"
