"""Holds as callers make them, in whole credits."""

from tests.support.stack import CREDIT

REJECT, UP_TO_HOLD, FROM_AVAILABLE, ALLOW_DEBT = 1, 2, 3, 4
OPEN, CAPTURED, RELEASED, EXPIRED = 1, 2, 3, 4


async def hold(wire, account_id, credits_, **options):
    """A hold's id."""
    made = await wire.do("HoldCredits", account_id=account_id, amount_microcredits=credits_ * CREDIT, **options)
    return made.hold.hold_id


async def capture(wire, account_id, hold_id, credits_, over_hold=REJECT, **options):
    return await wire.do(
        "CaptureHold",
        account_id=account_id,
        hold_id=hold_id,
        amount_microcredits=credits_ * CREDIT,
        over_hold=over_hold,
        **options,
    )


async def release(wire, account_id, hold_id, **options):
    return await wire.do("ReleaseHold", account_id=account_id, hold_id=hold_id, **options)


async def extend(wire, account_id, hold_id, credits_=0, **options):
    return await wire.do(
        "ExtendHold", account_id=account_id, hold_id=hold_id, additional_microcredits=credits_ * CREDIT, **options
    )


async def figures(wire, account_id, hold_id):
    """State, amount, captured and released credits of a hold."""
    found = (await wire.call("GetHold", account_id=account_id, hold_id=hold_id)).hold
    amounts = (found.amount_microcredits, found.captured_microcredits, found.released_microcredits)
    return (found.state, *(amount // CREDIT for amount in amounts))


async def sums(wire, account_id):
    """Credits available, held, frozen and owed."""
    balance = (await wire.call("GetBalance", account_id=account_id)).balance
    amounts = (
        balance.available_microcredits,
        balance.held_microcredits,
        balance.frozen_microcredits,
        balance.debt_microcredits,
    )
    return tuple(amount // CREDIT for amount in amounts)
