"""Spend limits and holds: ended ones that nobody has booked, charges above them, and what is undone when windows have
ended, on both stores."""

import pytest

from tests.end_to_end.holding import FROM_AVAILABLE, capture, extend, hold
from tests.end_to_end.money import deduct, grant, undo
from tests.end_to_end.test_rules_of_ended_holds import MINUTE_US, product, shift  # noqa: F401 - fixtures
from tests.end_to_end.test_spend_limits import DAY, NONE, TEAM, limited, used
from tests.support.doubles import DAY_US
from tests.support.stack import CREDIT
from tests.support.wire import key

ABOVE = {"amount_microcredits": 31 * CREDIT, "over_hold": FROM_AVAILABLE}
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


async def test_what_a_hold_grows_by_has_its_limits(product, new_account, shift):  # noqa: F811
    del shift
    _, wire = product
    account_id = new_account()
    await grant(wire, account_id, 1_000)
    await limited(wire, account_id, 30, NONE, TEAM)
    held = await hold(wire, account_id, 20, spender_ids=[TEAM])
    for rpc, more in (("ExtendHold", {"additional_microcredits": 11 * CREDIT}), ("CaptureHold", ABOVE)):
        told = await wire.error(rpc, account_id=account_id, hold_id=held, idempotency_key=key(), **more)
        assert (told.reason, told.metadata["left_microcredits"]) == ("SPEND_LIMIT_REACHED", str(10 * CREDIT))
    await extend(wire, account_id, held, 5)
    await capture(wire, account_id, held, 30, FROM_AVAILABLE)
    assert await used(wire, account_id) == {(TEAM, NONE): 30}
