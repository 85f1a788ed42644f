"""What tests of spending ask for."""

from tests.support.stack import CREDIT

REJECT, UP_TO_AVAILABLE, ALLOW_DEBT = 1, 2, 3
SHORT = ("FAILED_PRECONDITION", "INSUFFICIENT_CREDITS")


async def grant(wire, account_id, credits_, **options):
    return await wire.do(
        "GrantCredits", account_id=account_id, amount_microcredits=credits_ * CREDIT, reason="gift", **options
    )


async def deduct(wire, account_id, credits_, mode=REJECT, **options):
    return await wire.do(
        "DeductCredits", account_id=account_id, amount_microcredits=credits_ * CREDIT, mode=mode, **options
    )


async def shown(wire, account_id):
    balance = (await wire.call("GetBalance", account_id=account_id)).balance
    return tuple(
        amount // CREDIT
        for amount in (balance.available_microcredits, balance.frozen_microcredits, balance.debt_microcredits)
    )
