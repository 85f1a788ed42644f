"""What an older program wrote while this one is deployed, told one by one: verified, and then refunded, restored and
undone by this program, on both stores."""

import pytest

from billing_service.commands.sales.refund import quote_refund
from billing_service.domain.sales.reversals import RefundPolicy
from billing_service.domain.spending.deductions import DeductionMode
from billing_service.integrity.verify import verify_ledger
from billing_service.storage.rows.catching_up import lock_accounts
from billing_service.storage.rows.purchases import read_purchase, read_referral
from tests.money.older_program import OlderProgram
from tests.money.world import ACCOUNTS, BONUS, POLICY, REFEREES

BUYER, OTHER = REFEREES


@pytest.fixture
def older(world):
    return OlderProgram(world)


@pytest.fixture
def proven(world, store):
    """Verifies while columns lag, and once this program has caught up."""

    async def verify():
        assert (await verify_ledger(store)).differences == []
        await catch_up(world)
        assert (await verify_ledger(store)).differences == []

    return verify


async def catch_up(world):
    """As every command does that locks the accounts."""
    await world.environment.store.write(lambda: lock_accounts(ACCOUNTS))


async def balances(world):
    return {balance.account_id: (balance.available, balance.debt) for balance in await world.shown()}


async def purchase_of(world, number):
    account_id, purchase_id = world.purchases[number]
    return await world.environment.store.read(lambda: read_purchase(account_id, purchase_id))


async def parts(world, number):
    purchase = await purchase_of(world, number)
    return purchase.reversed, purchase.reversed_expired, purchase.reversed_debt


@pytest.mark.parametrize("swept_by", ["older", "this"])
async def test_what_the_older_sweep_expired_is_no_debt(*, world, older, proven, swept_by):
    """Of 10 bought 5 are spent and 5 run out; all the money goes back: 5 are owed, and 1 of them is paid at once."""
    await world.buy(OTHER, 10, 9, 9, 5)
    await world.deduct(OTHER, 5, DeductionMode.REJECT)
    world.clock.now_us += 6
    await (older if swept_by == "older" else world).sweep()
    _, purchase_id = world.purchases[0]
    quote, _ = await quote_refund(world.environment, purchase_id, RefundPolicy.WITH_DEBT, None, lambda _: None)
    assert (quote.refundable_minor, quote.reversed_microcredits, quote.debt_microcredits) == (9, 10, 5)
    await world.dispute(0, 9)
    assert await parts(world, 0) == (10, 5, 5)
    assert (await balances(world))[OTHER] == (0, 4)
    await proven()


@pytest.mark.parametrize("spent", [0, 1], ids=["read", "cached"])
async def test_a_deduction_after_the_older_sweep_forgets_nothing(*, world, older, proven, spent):
    """A deduction locks no account and looks at no history, and yet loses nothing of what is not counted."""
    await world.buy(OTHER, 10, 9, 9, 5)
    if spent:
        await world.deduct(OTHER, spent, DeductionMode.REJECT)
    world.clock.now_us += 6
    await older.sweep()
    await world.deduct(OTHER, 1, DeductionMode.REJECT)
    await world.dispute(0, 9)
    assert await parts(world, 0) == (10, 10 - spent, spent)
    await proven()


async def test_debt_of_an_older_clawback_comes_back_first(world, older, proven):
    await world.buy(OTHER, 10, 9, 9, None)
    await world.deduct(OTHER, 5, DeductionMode.REJECT)
    before = await balances(world)
    await older.dispute(0, 9)
    assert (await balances(world))[OTHER] == (0, 4)
    await catch_up(world)
    assert await parts(world, 0) == (10, 0, 4)
    await proven()
    await world.dispute(0, 0)
    assert await parts(world, 0) == (0, 0, 0)
    await proven()
    assert await balances(world) == before


@pytest.mark.unchecked_ledger  # the test's own check adds up every expiry, and this one was undone
async def test_what_had_expired_and_the_older_program_gave_back_expires_once(world, older, proven):
    """It gives all back into the lot, where what had expired runs out again: there is no more of it than there was."""
    await world.buy(OTHER, 10, 9, 9, 5)
    await world.deduct(OTHER, 5, DeductionMode.REJECT)
    world.clock.now_us += 6
    await world.sweep()
    await world.dispute(0, 9)
    assert await parts(world, 0) == (10, 5, 5)
    owed = await balances(world)
    await older.dispute(0, 0)
    await older.sweep()
    assert (await verify_ledger(world.environment.store)).differences == []
    await world.dispute(0, 9)
    assert await parts(world, 0) == (10, 6, 4), "1 had been paid, came back, and ran out"
    assert await balances(world) == owed
    await proven()


async def test_the_older_program_settles_a_refund_that_took_what_had_expired(world, older, proven):
    await world.buy(OTHER, 10, 9, 9, 5)
    await world.deduct(OTHER, 5, DeductionMode.REJECT)
    world.clock.now_us += 6
    await world.refund(0, "WITH_DEBT", None, "pending")
    await older.move_refund(0, 0, "SUCCEEDED")
    assert await parts(world, 0) == (10, 5, 5)
    await proven()


async def fallen(world, older_takes, older):
    """The buyer of a purchase that earned a bonus spent 4 of it; all the money, or less than the minimum, went back."""
    await world.buy(BUYER, 10, 10, 10, None)
    world.clock.now_us += POLICY.vesting_delay_us
    await world.deduct(BUYER, 5, DeductionMode.REJECT)
    before = await balances(world)
    if older_takes:
        await older.dispute(0, 10)
    else:
        await world.refund(0, "WITH_DEBT", 5, "pending")
    return before


async def test_the_older_program_restores_no_bonus_that_fell(world, older, proven):
    """A refund's update comes to it; by its rules a referral stands until all the money is gone."""
    before = await fallen(world, False, older)
    after = await balances(world)
    assert after != before
    await older.move_refund(0, 0, "SUCCEEDED")
    assert await balances(world) == after
    await proven()
    referral = await world.environment.store.read(lambda: read_referral(BUYER))
    assert (referral.state, referral.purchase_id, referral.earned_by) == ("REVERSED", "", world.purchases[0][1])
    await world.move_refund(0, 0, "FAILED")
    assert await balances(world) == before
    await proven()


@pytest.mark.parametrize("spent", [5, BONUS + 11])
@pytest.mark.parametrize("undone_by", ["this", "older"])
async def test_a_bonus_that_the_older_program_took_is_kept_by_nobody(*, world, older, proven, spent, undone_by):
    """What returns to it goes on, also where nothing was left of it to take."""
    await world.buy(BUYER, 10, 10, 10, None)
    world.clock.now_us += POLICY.vesting_delay_us
    await world.deduct(BUYER, spent, DeductionMode.REJECT)
    await older.dispute(0, 10)
    assert (await verify_ledger(world.environment.store)).differences == []
    await catch_up(world)
    await (world if undone_by == "this" else older).reverse(0, None)
    await world.sweep()
    await proven()
    assert (await balances(world))[BUYER] == (1, 0), "the gift is all that it ever had for nothing"


@pytest.mark.parametrize("older_first", [False, True])
async def test_a_bonus_that_the_older_program_took_is_restored(*, world, older, proven, older_first):
    before = await fallen(world, True, older)
    await proven()
    if older_first:
        await older.dispute(0, 0)
        await older.sweep()
    await world.dispute(0, 0)
    assert await balances(world) == before
    await proven()


async def test_what_the_older_program_put_into_a_lot_that_ended_goes_on(world, older, proven):
    """A deduction of the bonus is undone after the bonus was taken whole: what was taken in its stead comes back."""
    await fallen(world, False, older)
    await older.reverse(0, None)
    assert (await verify_ledger(world.environment.store)).differences == []
    await world.sweep()
    assert (await balances(world))[BUYER] == (1 + 5, 0), "as if it had been undone before"
    await proven()
