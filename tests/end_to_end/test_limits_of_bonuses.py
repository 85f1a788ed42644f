"""A bonus has two limits, how many a referrer may earn and what an account may hold. Neither is walked around, and
neither stops a sale."""

import pytest
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_COMPLETED as COMPLETED
from prepaid.billing.v1.referrals_pb2 import REFERRAL_STATE_QUALIFIED as QUALIFIED
from prepaid.billing.v1.referrals_pb2 import REFERRAL_STATE_REVERSED as REVERSED
from prepaid.billing.v1.referrals_pb2 import REFERRAL_STATE_REWARDED as REWARDED

from billing_service.domain.ledger.amounts import BALANCE_MAX
from tests.end_to_end.money import deduct, grant, shown, undo
from tests.support.stack import CREDIT, running_stack
from tests.support.webhooks_withheld import PENDING_REFUND_CARD
from tests.support.wire import Wire, key

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOST = BALANCE_MAX // CREDIT


async def referred(wire, new_account, referees):
    """A referrer and those that it referred."""
    referrer, *others = (new_account() for _ in range(1 + referees))
    await wire.do("CreateAccount", account_id=referrer)
    code = (await wire.call("GetReferral", account_id=referrer)).referral_code
    for referee in others:
        await wire.do("ApplyReferral", account_id=referee, referral_code=code)
    return referrer, *others


async def state(wire, referee):
    return (await wire.call("GetReferral", account_id=referee)).referral.state


async def fill(wire, account_id, room):
    """Grants until so many more credits fit."""
    missing = MOST - room - (await shown(wire, account_id))[0]
    for part in [missing // 9] * 8 + [missing - missing // 9 * 8]:
        await grant(wire, account_id, part)


async def test_a_bonus_that_was_spent_counts_towards_the_cap_though_its_purchase_went_back(database, new_account):
    """Else one friend after the other buys and takes the money back, and each time the referrer has spent 1,000
    more."""
    async with (
        running_stack(database.url, BILLING_REFERRAL_REWARDS_MAX="1") as stack,
        Wire(stack.service.address) as wire,
    ):
        referrer, first, second, third = await referred(wire, new_account, 3)
        bought = await stack.buy(first)
        spent = await deduct(wire, referrer, 1000)
        await wire.do("Refund", purchase_id=bought.purchase_id, idempotency_key=key())
        await stack.webhooks()
        assert (await state(wire, first), await shown(wire, first), await shown(wire, referrer)) == (
            REVERSED,
            (0, 0, 0),
            (0, 0, 0),
        )
        await stack.buy(second)
        assert (await state(wire, second), await shown(wire, second), await shown(wire, referrer)) == (
            QUALIFIED,
            (2000, 0, 0),
            (0, 0, 0),
        )
        await undo(wire, referrer, spent)
        assert await shown(wire, referrer) == (0, 0, 0), "what was spent of it is gone as well: it was never earned"
        await stack.buy(third)
        assert (await state(wire, third), await shown(wire, referrer)) == (REWARDED, (1000, 0, 0))


async def test_a_referrer_without_room_stops_no_sale(stack, wire, new_account):
    referrer, referee = await referred(wire, new_account, 1)
    await fill(wire, referrer, 999)
    bought = await stack.buy(referee)
    assert (bought.status, await state(wire, referee)) == (COMPLETED, QUALIFIED)
    assert (await shown(wire, referee), await shown(wire, referrer)) == ((2000, 0, 0), (MOST - 999, 0, 0))


async def test_a_buyer_with_room_for_the_credits_alone_gets_them(stack, wire, new_account):
    referrer, referee = await referred(wire, new_account, 1)
    await fill(wire, referee, 1999)
    bought = await stack.buy(referee)
    assert (bought.status, await state(wire, referee)) == (COMPLETED, REWARDED)
    assert (await shown(wire, referee), await shown(wire, referrer)) == ((MOST - 999, 0, 0), (1000, 0, 0))
    await wire.do("Refund", purchase_id=bought.purchase_id, idempotency_key=key())
    assert (await shown(wire, referee), await shown(wire, referrer)) == ((MOST - 1999, 0, 0), (0, 0, 0))


async def test_a_referrer_without_room_holds_up_no_refund_that_failed(stack, wire, new_account):
    referrer, referee = await referred(wire, new_account, 1)
    made = await wire.do("CreatePurchase", account_id=referee, package_code="starter")
    await stack.pay(made.purchase.checkout_url, PENDING_REFUND_CARD)
    await stack.webhooks()
    sent = await wire.do("Refund", purchase_id=made.purchase.purchase_id, idempotency_key=key())
    assert (await state(wire, referee), await shown(wire, referee), await shown(wire, referrer)) == (
        REVERSED,
        (0, 1000, 0),
        (0, 0, 0),
    )
    await fill(wire, referrer, 999)
    await stack.control(f"refunds/{sent.refund.stripe_refund_id}/settle", {"status": "failed"})
    await stack.webhooks()
    assert (await state(wire, referee), await shown(wire, referee)) == (QUALIFIED, (2000, 0, 0))
    assert await shown(wire, referrer) == (MOST - 999, 0, 0)
