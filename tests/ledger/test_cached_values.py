"""An account is cached as plain values and comes back as it was."""

import gc

from hypothesis import given, strategies

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.amounts import BALANCE_MAX
from billing_service.domain.ledger.lots import Category, Lot
from billing_service.ledger import account_cache
from billing_service.ledger.account_cache import AccountCache

NUMBERS = strategies.integers(0, BALANCE_MAX)
LOTS = strategies.builds(
    Lot,
    strategies.text(max_size=30),
    strategies.sampled_from(Category),
    strategies.integers(0, 100),
    *[NUMBERS] * 4,
    strategies.none() | NUMBERS,
    strategies.text(max_size=30),
)
ACCOUNTS = strategies.builds(
    Account,
    strategies.text(max_size=30),
    NUMBERS,
    strategies.text(max_size=30),
    strategies.binary(min_size=32, max_size=32),
    *[NUMBERS] * 4,
    strategies.booleans(),
    lots=strategies.lists(LOTS, max_size=account_cache.LOTS_MAX),
)


@given(ACCOUNTS)
def test_an_account_is_recalled_as_it_was(account):
    memory = AccountCache()
    memory.keep([account])
    recalled = memory.take([account.account_id])[account.account_id]
    assert recalled == account
    assert all(type(lot.category) is Category for lot in recalled.lots)
    assert not {id(lot) for lot in recalled.lots} & {id(lot) for lot in account.lots}


def test_what_is_remembered_gives_the_garbage_collector_nothing_to_do():
    memory = AccountCache()
    lot = Lot("lot_1", Category.PAID, 50, 10, 10, 1, 0, None, "purchase_1")
    memory.keep([Account(name, 3, "txn_1", bytes(32), 10, lots=[lot, lot]) for name in ("acme", "blue")])
    for _ in range(3):  # each visit of the collector finds out one level more that holds values only
        gc.collect()
    assert not any(gc.is_tracked(kept) for kept in memory._accounts.values())
