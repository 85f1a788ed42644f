"""Accounts, lots and an independent reading of what transactions say, for the tests of the ledger's rules."""

from collections import defaultdict
from functools import cmp_to_key

from hypothesis import strategies as st

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.entries import Place, TransactionKind
from billing_service.domain.ledger.granting import grant, new_lot
from billing_service.domain.ledger.lots import PRIORITY_DEFAULT, Category, Lot
from tests.support.doubles import SECOND_US, START_US

NOW_US = START_US
PROMOTIONAL, PLAN, PAID = Category.PROMOTIONAL, Category.PLAN, Category.PAID
SOON_US, LATER_US = NOW_US + 10 * SECOND_US, NOW_US + 20 * SECOND_US
PAST_US = NOW_US - 10 * SECOND_US


def lot(
    lot_id,
    left,
    category=PAID,
    *,
    priority=PRIORITY_DEFAULT,
    expires_us=None,
    effective_us=PAST_US,
    created_us=PAST_US,
    amount=None,
):
    """A lot as it stands in an account."""
    return Lot(lot_id, category, priority, amount or max(left, 1), left, created_us, effective_us, expires_us)


def account_with(*lots, debt=0, overdraft_limit=0, frozen=False, debt_max=-1):
    """An account that holds these lots, with no history."""
    balance = sum(each.remaining for each in lots) - debt
    account = Account(
        "acme", balance=balance, debt=debt, overdraft_limit=overdraft_limit, frozen=frozen, debt_max=debt_max
    )
    for each in lots:
        account.add_lot(each)
    return account


def granted(account, amount, category=PAID, *, ids, now_us=NOW_US, **about):
    """Grants credits through the domain; answers the lot."""
    made = new_lot(amount, category, now_us=now_us, ids=ids, **about)
    grant(account, made, Place.GRANTS, TransactionKind.GRANT, now_us=now_us, ids=ids)
    return made


def spent_before(one, other):
    """The published order, told as a person would: negative when `one` is spent before `other`."""
    if one.priority != other.priority:
        return one.priority - other.priority
    if one.expire_time_us != other.expire_time_us:
        if one.expire_time_us is None:
            return 1
        if other.expire_time_us is None:
            return -1
        return one.expire_time_us - other.expire_time_us
    rank = [PROMOTIONAL, PLAN, PAID]
    if one.category != other.category:
        return rank.index(one.category) - rank.index(other.category)
    if one.create_time_us != other.create_time_us:
        return one.create_time_us - other.create_time_us
    return -1 if one.lot_id.encode() < other.lot_id.encode() else 1


def in_published_order(lots):
    return sorted(lots, key=cmp_to_key(spent_before))


def usable(each, now_us):
    """A lot's credits that may be spent now."""
    begun = each.effective_time_us <= now_us
    ended = each.expire_time_us is not None and now_us >= each.expire_time_us
    return each.remaining if begun and not ended else 0


def snapshot(account):
    """All that an account holds, to compare before and after."""
    return (
        account.version,
        account.last_transaction_id,
        account.balance,
        account.debt,
        account.set_aside,
        {each.lot_id: each.remaining for each in account.lots},
        len(account.transactions),
    )


def replayed(transactions):
    """What each place holds when every entry is walked from the beginning."""
    sums = defaultdict(int)
    for transaction in transactions:
        for source, destination, amount in transaction.entries:
            assert amount > 0
            assert source != destination
            sums[source] -= amount
            sums[destination] += amount
    return sums


def check_account(account):
    """Every invariant of an account whose whole history is in memory."""
    sums = replayed(account.transactions)
    assert sum(sums.values()) == 0
    for each in account.lots:
        assert min(each.remaining, each.held) >= 0, f"{each.lot_id} is outside its bounds"
        assert each.remaining + each.held <= each.amount, f"{each.lot_id} is outside its bounds"
        assert sums[each.lot_id] == each.remaining
        assert sums[f"held:{each.lot_id}"] == each.held
        assert each.expired == sum(
            amount
            for t in account.transactions
            for source, place, amount in t.entries
            if (source, place) == (each.lot_id, Place.EXPIRED)
        )
        assert not each.ended_to or each.remaining == 0
    assert sums[Place.DEBT] == -account.debt <= 0
    assert sums[Place.SET_ASIDE] == account.set_aside >= 0
    assert account.held == sum(each.held for each in account.lots)
    assert account.balance == sum(each.remaining + each.held for each in account.lots) - account.debt
    running, previous = 0, ""
    for version, transaction in enumerate(account.transactions, 1):
        assert (transaction.version, transaction.previous_id) == (version, previous)
        running += transaction.amount
        assert transaction.balance_after == running
        check_transaction(transaction)
        previous = transaction.transaction_id
    assert (account.version, account.last_transaction_id, account.balance) == (
        len(account.transactions),
        previous,
        running,
    )


def check_transaction(transaction):
    """Its amount is what its entries move into and out of the account; its draws are what they move into and out of
    lots."""
    house = {
        Place.SALES,
        Place.GRANTS,
        Place.BONUSES,
        Place.ADJUSTMENTS,
        Place.USAGE,
        Place.EXPIRED,
        Place.REVERSED,
        Place.SET_ASIDE,
    }
    effect, lots = 0, defaultdict(int)
    for source, destination, amount in transaction.entries:
        effect += amount * ((destination not in house) - (source not in house))
        drawn_from = source.removeprefix("held:")
        if destination != f"held:{drawn_from}" and drawn_from == destination:
            lots[destination] -= amount  # what a hold gives back
            continue
        lots[drawn_from] += amount
        if not destination.startswith("held:"):
            lots[destination] -= amount
    may_be_empty = (TransactionKind.DEDUCTION, TransactionKind.BONUS_REVERSAL, TransactionKind.GRANT)
    may_be_empty += (TransactionKind.HOLD, TransactionKind.HOLD_RELEASE)
    assert transaction.entries or (transaction.kind in may_be_empty and transaction.amount == 0)
    assert transaction.amount == effect
    drawn = defaultdict(int)
    for lot_id, _, amount in transaction.draws:
        drawn[lot_id] += amount
    moved = {place: amount for place, amount in lots.items() if place not in house and place != Place.DEBT and amount}
    assert {place: amount for place, amount in drawn.items() if amount} == moved


def check_shown(account, now_us):
    """What is shown adds up, and never offers what a deduction could not take."""
    shown = account.show(now_us)
    assert min(shown.available, shown.held, shown.frozen, shown.debt, shown.promotional, shown.plan, shown.paid) >= 0
    assert shown.available == shown.promotional + shown.plan + shown.paid
    assert shown.available == (
        0 if account.frozen else max(sum(usable(each, now_us) for each in account.lots) - account.debt, 0)
    )
    assert shown.available == 0 or shown.debt == 0
    assert shown.next_expiry_amount <= shown.available
    assert (shown.next_expiry_us is None) == (shown.next_expiry_amount == 0)
    unexpired = sum(
        each.remaining for each in account.lots if each.expire_time_us is None or each.expire_time_us > now_us
    )
    assert shown.held == account.held
    assert shown.available + shown.frozen - shown.debt == unexpired - account.debt + account.set_aside
    return shown


moments = st.sampled_from([PAST_US - 1, PAST_US, NOW_US - 1, NOW_US, NOW_US + 1, SOON_US, LATER_US])
categories = st.sampled_from([PROMOTIONAL, PLAN, PAID])


@st.composite
def lots_of_an_account(draw, max_size=7):
    """Lots of every kind: some equal in all but their id, some empty, expired or not yet begun."""
    names = draw(st.lists(st.text("ab0é", min_size=1, max_size=3), unique=True, max_size=max_size))
    return [
        lot(
            f"lot_{name}",
            draw(st.integers(0, 9)),
            draw(categories),
            priority=draw(st.sampled_from([0, 49, 50, 50, 50, 100])),
            expires_us=draw(st.none() | moments),
            effective_us=draw(moments),
            created_us=draw(st.sampled_from([PAST_US, PAST_US, NOW_US])),
        )
        for name in names
    ]
