"""Referrals as two customers meet them: who may be bound, what the first purchase brings, what goes back with its
money."""

import pytest
from billing_client.errors import BillingError
from prepaid.billing.v1 import referrals_pb2 as wire_pb2

from tests.support.stack import CREDIT, running_stack
from tests.support.webhooks_withheld import PENDING_REFUND_CARD
from tests.support.wire import Wire, key, outcomes, row_counts

pytestmark = pytest.mark.asyncio(loop_scope="session")

PENDING, QUALIFIED = wire_pb2.REFERRAL_STATE_PENDING, wire_pb2.REFERRAL_STATE_QUALIFIED
REWARDED, CLOSED, REVERSED = (
    wire_pb2.REFERRAL_STATE_REWARDED,
    wire_pb2.REFERRAL_STATE_CLOSED,
    wire_pb2.REFERRAL_STATE_REVERSED,
)


async def code_of(wire, account_id):
    await wire.do("CreateAccount", account_id=account_id)
    return (await wire.call("GetReferral", account_id=account_id)).referral_code


async def referred(wire, new_account):
    referrer, referee = new_account("referrer"), new_account("referee")
    code = await code_of(wire, referrer)
    bound = await wire.do("ApplyReferral", account_id=referee, referral_code=code)
    assert (bound.referral.state, bound.referral.referrer_account_id, bound.referral.referee_account_id) == (
        PENDING,
        referrer,
        referee,
    )
    return referrer, referee


async def side(wire, account_id):
    answer = await wire.call("GetReferral", account_id=account_id)
    return answer.pending_count, answer.rewarded_count, answer.total_count, answer.earned_microcredits // CREDIT


async def state(wire, account_id):
    return (await wire.call("GetReferral", account_id=account_id)).referral.state


@pytest.mark.parametrize("length", [1, 2, 3, 4])
async def test_no_circle_closes(stack, wire, new_account, stored, length):
    accounts = [new_account() for _ in range(length)]
    codes = [await code_of(wire, account_id) for account_id in accounts]
    for account_id, code in zip(accounts[1:], codes[:-1], strict=True):
        await wire.do("ApplyReferral", account_id=account_id, referral_code=code)
    await stack.webhooks()
    before = await row_counts(stored)
    told = await wire.refusal("ApplyReferral", account_id=accounts[0], referral_code=codes[-1], idempotency_key=key())
    assert told == ("FAILED_PRECONDITION", "SELF_REFERRAL")
    assert await row_counts(stored) == before


async def test_circles_that_close_at_once_leave_one_gap(wire, new_account):
    for length in (2, 3, 4):
        accounts = [new_account() for _ in range(length)]
        codes = [await code_of(wire, account_id) for account_id in accounts]
        pairs = zip(accounts, codes[1:] + codes[:1], strict=True)
        ended = await outcomes(
            *(wire.do("ApplyReferral", account_id=account_id, referral_code=code) for account_id, code in pairs)
        )
        refused = [end for end in ended if isinstance(end, BillingError)]
        assert [error.reason for error in refused] == ["SELF_REFERRAL"], length


async def test_bound_once_and_in_time(stack, wire, new_account):
    _, referee = await referred(wire, new_account)
    other = await code_of(wire, new_account())
    for code in (other, (await wire.call("GetReferral", account_id=referee)).referral_code):
        told = await wire.refusal("ApplyReferral", account_id=referee, referral_code=code, idempotency_key=key())
        assert told == ("ALREADY_EXISTS", "REFERRAL_EXISTS")
    late = new_account("late")
    await stack.buy(late)
    told = await wire.refusal("ApplyReferral", account_id=late, referral_code=other, idempotency_key=key())
    assert told == ("FAILED_PRECONDITION", "REFERRAL_TOO_LATE")


@pytest.mark.parametrize("spelling", [str, str.lower, lambda code: f"  {code} "])
async def test_letter_case_and_spaces_do_not_matter(wire, new_account, spelling):
    code = await code_of(wire, new_account())
    referee = new_account()
    first = await wire.call("ApplyReferral", account_id=referee, referral_code=code, idempotency_key="k")
    again = await wire.call("ApplyReferral", account_id=referee, referral_code=spelling(code), idempotency_key="k")
    assert (again.referral, again.replayed) == (first.referral, True)


async def test_an_account_may_be_made_with_its_referral_or_not_at_all(stack, wire, new_account, stored):
    code, account_id = await code_of(wire, new_account()), new_account()
    await stack.webhooks()
    before = await row_counts(stored)
    told = await wire.refusal("CreateAccount", account_id=account_id, referral_code="ZZZZZZZZ", idempotency_key="k")
    assert told == ("NOT_FOUND", "REFERRAL_CODE_NOT_FOUND")
    assert await row_counts(stored) == before
    await wire.call("CreateAccount", account_id=account_id, referral_code=code, idempotency_key="k")
    assert await state(wire, account_id) == PENDING


async def test_fifty_applications_with_keys_of_their_own_bind_once(stack, wire, new_account):
    referrer, referee = new_account("referrer"), new_account("referee")
    code = await code_of(wire, referrer)
    ended = await outcomes(*(wire.do("ApplyReferral", account_id=referee, referral_code=code) for _ in range(50)))
    refused = [end for end in ended if isinstance(end, BillingError)]
    assert {error.reason for error in refused} == {"REFERRAL_EXISTS"}
    assert len(refused) == 49
    await stack.buy(referee)
    assert (await stack.available(referee), await stack.available(referrer)) == (2000, 1000)
    assert await side(wire, referrer) == (0, 1, 1, 1000)


async def test_one_first_purchase_is_rewarded_however_many_are_paid_at_once(stack, wire, new_account):
    referrer, referee = await referred(wire, new_account)
    pages = [
        (await wire.do("CreatePurchase", account_id=referee, package_code="starter")).purchase.checkout_url
        for _ in range(5)
    ]
    await outcomes(*(stack.pay(page) for page in pages))
    await stack.webhooks()
    assert (await stack.available(referee), await stack.available(referrer)) == (6000, 1000)
    assert await side(wire, referrer) == (0, 1, 1, 1000)


async def test_a_small_first_purchase_closes_the_referral_for_good(stack, wire, new_account):
    referrer, referee = await referred(wire, new_account)
    small = await wire.do("CreatePurchase", account_id=referee, custom_amount_minor=999)
    await stack.pay(small.purchase.checkout_url)
    await stack.webhooks()
    assert await state(wire, referee) == CLOSED
    await stack.buy(referee, "pro")
    assert (await stack.available(referee), await stack.available(referrer)) == (10_999, 0)
    assert await side(wire, referrer) == (0, 0, 1, 0)


async def test_a_full_refund_takes_both_bonuses_and_its_failure_brings_them_back(stack, wire, new_account):
    referrer, referee = await referred(wire, new_account)
    made = await wire.do("CreatePurchase", account_id=referee, package_code="starter")
    await stack.pay(made.purchase.checkout_url, PENDING_REFUND_CARD)
    await stack.webhooks()
    await wire.do("DeductCredits", account_id=referrer, amount_microcredits=300 * CREDIT)
    begun = await wire.do("Refund", purchase_id=made.purchase.purchase_id)
    assert (await stack.available(referee), await stack.available(referrer)) == (0, 0)
    assert await state(wire, referee) == REVERSED
    assert await side(wire, referrer) == (0, 0, 1, 300)
    debt = (await wire.call("GetBalance", account_id=referrer)).balance.debt_microcredits
    assert debt == 0, "what the referrer spent of its bonus is nobody's debt"
    await stack.control(f"refunds/{begun.refund.stripe_refund_id}/settle", {"status": "failed"})
    await stack.webhooks()
    assert (await stack.available(referee), await stack.available(referrer)) == (2000, 700)
    assert await state(wire, referee) == REWARDED
    assert await side(wire, referrer) == (0, 1, 1, 1000)


async def test_parts_keep_the_bonus_while_enough_stays_paid(stack, wire, new_account):
    referrer, referee = await referred(wire, new_account)
    bought = await stack.buy(referee, "standard")
    for amount, left, bonus, reached in (
        (1800, 3000, 1000, REWARDED),
        (1700, 1111, 1000, REWARDED),
        (1, 1110, 0, REVERSED),
        (999, 0, 0, REVERSED),
    ):
        await wire.do("Refund", purchase_id=bought.purchase_id, amount_minor=amount)
        assert (await stack.available(referee), await stack.available(referrer)) == (left + bonus, bonus)
        assert await state(wire, referee) == reached


async def test_a_second_purchase_that_goes_back_costs_no_bonus(stack, wire, new_account):
    referrer, referee = await referred(wire, new_account)
    await stack.buy(referee)
    second = await stack.buy(referee)
    await wire.do("Refund", purchase_id=second.purchase_id)
    assert (await stack.available(referee), await stack.available(referrer)) == (2000, 1000)


async def test_the_cap_of_a_referrer(database, new_account):
    settings = {"BILLING_REFERRAL_REWARDS_MAX": "1"}
    async with running_stack(database.url, **settings) as stack, Wire(stack.service.address) as wire:
        referrer, first, second, third = (new_account() for _ in range(4))
        code = await code_of(wire, referrer)
        for referee in (first, second, third):
            await wire.do("ApplyReferral", account_id=referee, referral_code=code)
        await stack.buy(first)
        over = await stack.buy(second)
        assert [await state(wire, referee) for referee in (first, second, third)] == [REWARDED, QUALIFIED, PENDING]
        assert (await stack.available(referrer), await stack.available(second)) == (1000, 2000)
        assert await side(wire, referrer) == (1, 1, 3, 1000)
        await wire.do("Refund", purchase_id=over.purchase_id)
        await stack.webhooks()
        assert await state(wire, second) == REVERSED
        assert (await stack.available(referrer), await stack.available(second)) == (1000, 0)
        assert await side(wire, referrer) == (1, 1, 3, 1000), "a bonus that the referrer never got was not earned"


async def test_a_bonus_that_is_not_vested_yet_is_frozen_and_can_be_taken_back(database, new_account):
    settings = {"BILLING_REFERRAL_VESTING_DELAY_S": "3600"}
    async with running_stack(database.url, **settings) as stack, Wire(stack.service.address) as wire:
        referrer, referee = await referred(wire, new_account)
        bought = await stack.buy(referee)
        shown = (await wire.call("GetBalance", account_id=referrer)).balance
        assert (shown.available_microcredits, shown.frozen_microcredits) == (0, 1000 * CREDIT)
        told = await wire.refusal("DeductCredits", account_id=referrer, amount_microcredits=1, idempotency_key="k")
        assert told == ("FAILED_PRECONDITION", "INSUFFICIENT_CREDITS")
        referral = (await wire.call("GetReferral", account_id=referee)).referral
        assert referral.reward_time.seconds - bought.complete_time.seconds == 3600
        await wire.do("Refund", purchase_id=bought.purchase_id)
        shown = (await wire.call("GetBalance", account_id=referrer)).balance
        assert (shown.available_microcredits, shown.frozen_microcredits) == (0, 0)
