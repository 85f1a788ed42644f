"""Bonuses of a referral live and die with the money that earned them: each rule with the case that would break it, on
both stores."""

import pytest
from prepaid.billing.v1.referrals_pb2 import REFERRAL_STATE_CLOSED as CLOSED
from prepaid.billing.v1.referrals_pb2 import REFERRAL_STATE_REVERSED as REVERSED
from prepaid.billing.v1.referrals_pb2 import REFERRAL_STATE_REWARDED as REWARDED

from tests.end_to_end.event_changes import changed
from tests.end_to_end.money import ALLOW_DEBT, UNUSED_ONLY, WITH_DEBT, deduct, grant, quote, shown, undo
from tests.support.stack import CREDIT, STRIPE_KEY, running_stack
from tests.support.webhooks_withheld import PENDING_REFUND_CARD, webhooks_withheld
from tests.support.wire import Wire, key, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

SPENT = ("FAILED_PRECONDITION", "CREDITS_ALREADY_SPENT")


async def referred(wire, new_account):
    """A referrer and one that it referred."""
    referrer, referee = new_account("referrer"), new_account("referee")
    await wire.do("CreateAccount", account_id=referrer)
    code = (await wire.call("GetReferral", account_id=referrer)).referral_code
    await wire.do("ApplyReferral", account_id=referee, referral_code=code)
    return referrer, referee


async def standing(wire, referee):
    return (await wire.call("GetReferral", account_id=referee)).referral.state


async def side(wire, referrer):
    answer = await wire.call("GetReferral", account_id=referrer)
    return answer.rewarded_count, answer.earned_microcredits // CREDIT


async def buy(stack, wire, account_id, package_code="starter", card=PENDING_REFUND_CARD):
    """A purchase whose refunds take their time, and may fail."""
    made = await wire.do("CreatePurchase", account_id=account_id, package_code=package_code)
    await stack.pay(made.purchase.checkout_url, card)
    await stack.webhooks()
    return (await wire.call("GetPurchase", purchase_id=made.purchase.purchase_id)).purchase


async def ends(stack, refund, status="failed"):
    await stack.control(f"refunds/{refund.stripe_refund_id}/settle", {"status": status})
    await stack.webhooks()


async def test_a_spent_bonus_is_not_refunded_beside_the_purchase(stack, wire, new_account):
    """Buy for $10: 1,000 and a bonus of 1,000. Spend 1,000, which draws the bonus, and ask for the $10 back."""
    referrer, referee = await referred(wire, new_account)
    bought = await stack.buy(referee)
    await deduct(wire, referee, 1000)
    assert await quote(wire, bought) == (0, 0, 0, 0)
    for asked in ({}, {"amount_minor": 1}, {"amount_minor": 1000}):
        refused = await wire.error("Refund", purchase_id=bought.purchase_id, idempotency_key=key(), **asked)
        assert (told(refused), refused.metadata) == (SPENT, {"refundable_minor": "0"})
    assert (await shown(wire, referee), await shown(wire, referrer)) == ((1000, 0, 0), (1000, 0, 0))
    assert await quote(wire, bought, WITH_DEBT) == (1000, 1000, 1000, 1000)
    done = (await wire.do("Refund", purchase_id=bought.purchase_id, policy=WITH_DEBT)).refund
    taken = [
        amount // CREDIT for amount in (done.reversed_microcredits, done.bonus_microcredits, done.debt_microcredits)
    ]
    assert taken == [1000, 1000, 1000]
    assert (await shown(wire, referee), await shown(wire, referrer)) == ((0, 0, 1000), (0, 0, 0))
    assert (await standing(wire, referee), await side(wire, referrer)) == (REVERSED, (0, 0))


async def test_a_refund_begun_at_stripe_takes_the_bonus_as_well(stack, wire, new_account):
    """Nobody was asked; what was spent of the bonus is owed. When it fails, all is as it was."""
    referrer, referee = await referred(wire, new_account)
    bought = await buy(stack, wire, referee)
    await deduct(wire, referee, 1300)
    form = {"payment_intent": bought.payment_intent_id, "amount": "1000"}
    headers = {"Authorization": f"Bearer {STRIPE_KEY}"}
    made = (await stack.http.post(f"{stack.sandbox_url}/v1/refunds", data=form, headers=headers)).json()
    await stack.webhooks()
    assert (await shown(wire, referee), await shown(wire, referrer)) == ((0, 0, 1300), (0, 0, 0))
    assert await standing(wire, referee) == REVERSED
    await stack.control(f"refunds/{made['id']}/settle", {"status": "failed"})
    await stack.webhooks()
    assert (await shown(wire, referee), await shown(wire, referrer)) == ((700, 0, 0), (1000, 0, 0))
    assert (await standing(wire, referee), await side(wire, referrer)) == (REWARDED, (1, 1000))


QUOTED = [
    # spent of 5,000 for $45 and a bonus of 1,000: both quotes, as (money, credits, bonus, debt)
    (0, (4500, 5000, 1000, 0), (4500, 5000, 1000, 0)),
    (999, (3600, 4000, 1000, 0), (4500, 5000, 1000, 999)),
    (1000, (3600, 4000, 1000, 0), (4500, 5000, 1000, 1000)),
    (1110, (3501, 3890, 1000, 0), (4500, 5000, 1000, 1110)),
    (1111, (3500, 3888, 0, 0), (4500, 5000, 1000, 1111)),  # $10 stay paid, and the bonus with them
    (1500, (3500, 3888, 0, 0), (4500, 5000, 1000, 1500)),
    (3000, (2700, 3000, 0, 0), (4500, 5000, 1000, 3000)),
    (6000, (0, 0, 0, 0), (4500, 5000, 1000, 6000)),
]


@pytest.mark.parametrize(("spent", "unused_only", "with_debt"), QUOTED)
async def test_a_quote_says_what_the_refund_then_does(*, stack, wire, new_account, spent, unused_only, with_debt):
    _, referee = await referred(wire, new_account)
    bought = await stack.buy(referee, "standard")
    if spent:
        await deduct(wire, referee, spent)
    assert await quote(wire, bought, WITH_DEBT) == with_debt
    assert await quote(wire, bought, UNUSED_ONLY) == unused_only
    money, _, bonus, _ = unused_only
    refused = await wire.error("Refund", purchase_id=bought.purchase_id, amount_minor=money + 1, idempotency_key=key())
    spent_by_then = (SPENT, {"refundable_minor": str(money)})
    more_than_paid = (("INVALID_ARGUMENT", "INVALID_FIELD"), {"field": "amount_minor"})
    assert (told(refused), refused.metadata) == (spent_by_then if money < bought.paid_minor else more_than_paid)
    if not money:
        return
    done = (await wire.do("Refund", purchase_id=bought.purchase_id)).refund
    amounts = (done.reversed_microcredits, done.bonus_microcredits, done.debt_microcredits)
    assert (done.amount_minor, *(amount // CREDIT for amount in amounts)) == unused_only
    assert await standing(wire, referee) == (REVERSED if bonus else REWARDED)
    rest = 5000 * CREDIT - done.reversed_microcredits + (1000 * CREDIT - done.bonus_microcredits)
    assert await stack.available(referee) == (rest - spent * CREDIT) // CREDIT


async def test_a_cent_keeps_no_bonus(stack, wire, new_account):
    """Buy for $10.00, get $9.99 back: 100 such pairs would keep 200,000 credits for $1."""
    referrer, referee = await referred(wire, new_account)
    bought = await buy(stack, wire, referee)
    assert await quote(wire, bought) == (1000, 1000, 1000, 0)
    begun = (await wire.do("Refund", purchase_id=bought.purchase_id, amount_minor=999)).refund
    assert (await shown(wire, referee), await shown(wire, referrer)) == ((1, 999, 0), (0, 0, 0))
    assert (await standing(wire, referee), await side(wire, referrer)) == (REVERSED, (0, 0))
    await ends(stack, begun)
    assert (await shown(wire, referee), await shown(wire, referrer)) == ((2000, 0, 0), (1000, 0, 0))
    assert (await standing(wire, referee), await side(wire, referrer)) == (REWARDED, (1, 1000))


async def test_a_referral_stands_to_the_last_cent_of_the_minimum(stack, wire, new_account):
    referrer, referee = await referred(wire, new_account)
    bought = await stack.buy(referee, "standard")
    await wire.do("Refund", purchase_id=bought.purchase_id, amount_minor=3500)
    assert await standing(wire, referee) == REWARDED
    assert (await shown(wire, referrer))[0] == 1000
    await wire.do("Refund", purchase_id=bought.purchase_id, amount_minor=1)
    assert await standing(wire, referee) == REVERSED
    assert (await shown(wire, referrer), await side(wire, referrer)) == ((0, 0, 0), (0, 0))


async def test_without_a_minimum_something_must_stay_paid(database, new_account):
    async with (
        running_stack(database.url, BILLING_REFERRAL_PURCHASE_MIN_MINOR="0") as stack,
        Wire(stack.service.address) as wire,
    ):
        referrer, referee = await referred(wire, new_account)
        bought = await stack.buy(referee)
        await wire.do("Refund", purchase_id=bought.purchase_id, amount_minor=999)
        assert await standing(wire, referee) == REWARDED
        await wire.do("Refund", purchase_id=bought.purchase_id, amount_minor=1)
        assert (await standing(wire, referee), await shown(wire, referrer)) == (REVERSED, (0, 0, 0))


@pytest.mark.parametrize(
    ("tax", "discount", "state", "refundable_standing"),
    [(70, 0, REWARDED, 0), (0, 1, CLOSED, None), (70, 50, CLOSED, None)],
)
async def test_tax_earns_no_bonus(*, database, tax, discount, state, refundable_standing):
    """$10 and tax; or a little less than $10 and tax enough to make up for it."""
    async with webhooks_withheld(database.url, BILLING_ALLOW_PROMOTION_CODES="true") as withheld:
        await withheld.wire.do("CreateAccount", account_id="referrer")
        code = (await withheld.wire.call("GetReferral", account_id="referrer")).referral_code
        await withheld.wire.do("ApplyReferral", account_id="referee", referral_code=code)
        purchase = await withheld.paid_checkout("referee", granted=0)
        [event] = await withheld.events("checkout.session.completed")
        event = changed(
            event, 1, "total_details", {"amount_tax": tax, "amount_discount": discount, "amount_shipping": 0}
        )
        event["data"]["object"]["amount_total"] = 1000 + tax - discount
        assert await withheld.wire.deliver(event) == "PROCESSED"
        assert await standing(withheld.wire, "referee") == state
        if refundable_standing is not None:
            assert (await quote(withheld.wire, purchase))[0] == 1070
            await withheld.wire.do("Refund", purchase_id=purchase.purchase_id, amount_minor=1)
            assert await standing(withheld.wire, "referee") == REVERSED, (
                "its share of what went back is the credits' money"
            )


PARKED = [
    # spent before, undone after the bonus was taken: what is left with the buyer, of whose $10 so much went back
    (1000, 1000, 1000, 0),
    (1000, 1000, 500, 500),
    (1000, 400, 500, 0),
    (300, 300, 500, 500),
]


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(("spent", "undone", "gone", "left"), PARKED)
async def test_a_bonus_parked_outside_of_its_lot_does_not_survive(
    *, stack, wire, new_account, spent, undone, gone, left, before
):
    """Deduct the bonus, have it taken back, undo the deduction: 1,000 credits would be back for good. Undone before or
    after: the same."""
    referrer, referee = await referred(wire, new_account)
    bought = await stack.buy(referee)
    parked = [(account_id, await deduct(wire, account_id, spent)) for account_id in (referee, referrer)]

    async def undo_both():
        for account_id, deduction in parked:
            back = await undo(wire, account_id, deduction, amount_microcredits=undone * CREDIT)
            assert back.reversed_microcredits == undone * CREDIT

    if before:
        await undo_both()
    await wire.do("Refund", purchase_id=bought.purchase_id, policy=WITH_DEBT, amount_minor=gone)
    if not before:
        await undo_both()
    used = spent - undone
    assert await shown(wire, referee) == (max(1000 - gone - used, 0), 0, max(gone + used - 1000, 0))
    assert max(1000 - gone - used, 0) == left
    assert await shown(wire, referrer) == (0, 0, 0)
    assert await side(wire, referrer) == (0, used)


async def test_a_bonus_that_is_due_again_takes_up_what_comes_back(stack, wire, new_account):
    """The refund fails; then the deductions that spent the bonuses are undone."""
    referrer, referee = await referred(wire, new_account)
    bought = await buy(stack, wire, referee)
    spent = [(account_id, await deduct(wire, account_id, 1000)) for account_id in (referee, referrer)]
    for _ in range(2):
        begun = (await wire.do("Refund", purchase_id=bought.purchase_id, policy=WITH_DEBT, amount_minor=400)).refund
        assert (await shown(wire, referee), await shown(wire, referrer)) == ((0, 400, 400), (0, 0, 0))
        await ends(stack, begun)
        assert (await shown(wire, referee), await shown(wire, referrer)) == ((1000, 0, 0), (0, 0, 0))
    for account_id, deduction in spent:
        await undo(wire, account_id, deduction)
    assert (await shown(wire, referee), await shown(wire, referrer)) == ((2000, 0, 0), (1000, 0, 0))
    assert await side(wire, referrer) == (1, 1000)
    await wire.do("Refund", purchase_id=bought.purchase_id)
    assert (await shown(wire, referee), await shown(wire, referrer)) == ((0, 1000, 0), (0, 0, 0))


async def test_what_others_paid_for_a_bonus_is_theirs_again(stack, wire, new_account):
    """The debt of a spent bonus was paid by a second purchase; when the refund fails, that one is whole and refundable
    again."""
    _, referee = await referred(wire, new_account)
    bought = await buy(stack, wire, referee)
    await deduct(wire, referee, 2000)
    begun = (await wire.do("Refund", purchase_id=bought.purchase_id, policy=WITH_DEBT)).refund
    assert (await shown(wire, referee)) == (0, 1000, 2000)
    second = await stack.buy(referee, "standard")
    assert (await shown(wire, referee)) == (3000, 1000, 0)
    await ends(stack, begun)
    assert (await shown(wire, referee)) == (5000, 0, 0)
    assert await quote(wire, second) == (4500, 5000, 0, 0)
    assert await quote(wire, bought) == (0, 0, 0, 0)


async def test_bonuses_wait_two_weeks_unless_settings_say_otherwise(database, new_account):
    async with (
        running_stack(database.url, BILLING_REFERRAL_VESTING_DELAY_S="") as stack,
        Wire(stack.service.address) as wire,
    ):
        referrer, referee = await referred(wire, new_account)
        bought = await buy(stack, wire, referee)
        assert (await shown(wire, referee), await shown(wire, referrer)) == ((1000, 1000, 0), (0, 1000, 0))
        due = (await wire.call("GetReferral", account_id=referee)).referral.reward_time
        assert due.seconds - bought.complete_time.seconds == 14 * 86_400
        begun = (await wire.do("Refund", purchase_id=bought.purchase_id)).refund
        assert (await shown(wire, referee), await shown(wire, referrer)) == ((0, 1000, 0), (0, 0, 0))
        await ends(stack, begun)
        assert (await shown(wire, referee), await shown(wire, referrer)) == ((1000, 1000, 0), (0, 1000, 0)), (
            "as first promised"
        )
        await grant(wire, referee, 1)
        refused = await wire.error(
            "DeductCredits", account_id=referee, amount_microcredits=1002 * CREDIT, idempotency_key=key()
        )
        assert refused.metadata["available_microcredits"] == str(1001 * CREDIT)
        await deduct(wire, referee, 1500, ALLOW_DEBT)
        assert (await shown(wire, referee)) == (0, 1000, 499)
