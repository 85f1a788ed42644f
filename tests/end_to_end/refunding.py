"""What tests of refunds ask for."""

from tests.support.stack import CREDIT

WITH_DEBT = 2


async def spend(wire, account_id, credits_, mode=1):
    return await wire.do("DeductCredits", account_id=account_id, amount_microcredits=credits_ * CREDIT, mode=mode)


async def balance(wire, account_id):
    shown = (await wire.call("GetBalance", account_id=account_id)).balance
    return tuple(
        amount // CREDIT
        for amount in (shown.available_microcredits, shown.frozen_microcredits, shown.debt_microcredits)
    )


async def refunds_at_stripe(stack, intent):
    answer = await stack.http.get(
        f"{stack.sandbox_url}/v1/refunds",
        params={"payment_intent": intent},
        headers={"Authorization": "Bearer sk_" + "test_x1"},
    )
    return [(refund["amount"], refund["status"]) for refund in answer.json()["data"]]
