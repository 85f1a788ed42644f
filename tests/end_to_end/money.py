"""Credits as callers move and see them."""

from tests.support.stack import CREDIT

REJECT, UP_TO_AVAILABLE, ALLOW_DEBT = 1, 2, 3
UNUSED_ONLY, WITH_DEBT = 1, 2


async def grant(wire, account_id, credits_, **options):
    return await wire.do(
        "GrantCredits", account_id=account_id, amount_microcredits=credits_ * CREDIT, reason="gift", **options
    )


async def deduct(wire, account_id, credits_, mode=REJECT, **options):
    return await wire.do(
        "DeductCredits", account_id=account_id, amount_microcredits=credits_ * CREDIT, mode=mode, **options
    )


async def undo(wire, account_id, deduction, **options):
    return await wire.do("ReverseDeduction", account_id=account_id, transaction_id=deduction.transaction_id, **options)


async def shown(wire, account_id):
    """Credits available, frozen and owed."""
    balance = (await wire.call("GetBalance", account_id=account_id)).balance
    return tuple(
        amount // CREDIT
        for amount in (balance.available_microcredits, balance.frozen_microcredits, balance.debt_microcredits)
    )


async def quote(wire, purchase, policy=UNUSED_ONLY):
    """Money refundable, credits and bonus that would go back for it, and what would be owed."""
    told = await wire.call("QuoteRefund", purchase_id=purchase.purchase_id, policy=policy)
    amounts = (told.reversed_microcredits, told.bonus_microcredits, told.debt_microcredits)
    return (told.refundable_minor, *(amount // CREDIT for amount in amounts))
