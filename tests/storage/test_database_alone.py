"""What still holds when the code above the database is wrong: no overdraft, and no effect without its key."""

import asyncpg
import pytest

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.amounts import BALANCE_MAX
from billing_service.domain.ledger.entries import Draw, Entry
from billing_service.domain.ledger.posting import Posting
from billing_service.ledger.writer import LedgerWriter
from tests.storage.raw_units import CONSTRAINT_ERRORS, outside
from tests.support.ledger_setup import deduction, give, open_account

STATE = (
    "SELECT balance, debt, version, (SELECT sum(remaining) FROM lots), (SELECT count(*) FROM transactions), "
    "(SELECT count(*) FROM idempotency_keys) FROM accounts"
)
KEYS_FAIL = {
    "sqlite": ["CREATE TRIGGER no_keys BEFORE INSERT ON idempotency_keys BEGIN SELECT RAISE(ABORT, 'no keys'); END"],
    "postgresql": [
        "CREATE FUNCTION no_keys() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no keys'; END $$",
        "CREATE TRIGGER no_keys BEFORE INSERT ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION no_keys()",
    ],
}
KEYS_WORK = {
    "sqlite": ["DROP TRIGGER no_keys"],
    "postgresql": ["DROP TRIGGER no_keys ON idempotency_keys", "DROP FUNCTION no_keys()"],
}


@pytest.fixture
async def writer(store, clock, ids):
    made = LedgerWriter(store, clock, ids, batch_max=8, wait_s=0)
    yield made
    await made.close()


@pytest.fixture
def unguarded(monkeypatch):
    """Deductions take what is not there."""
    with monkeypatch.context() as patched:
        patched.setattr(Account, "spendable", lambda _account, _now_us: BALANCE_MAX)
        patched.setattr(Posting, "spend", spend_without_looking)
        yield


def spend_without_looking(posting, destination, amount):
    """Takes all of it from the first lot, whether or not it is there."""
    account, lot = posting.account, posting.account.lots[0]
    lot.remaining -= amount
    account.balance -= amount
    account.changed_lots[lot.lot_id] = lot
    posting.entries.append(Entry(lot.lot_id, destination, amount))
    posting.draws.append(Draw(lot.lot_id, lot.category, amount))
    return amount


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize("elsewhere", [0, 100], ids=["last credits", "last credits of a lot"])
async def test_without_its_guard_the_database_still_refuses_an_overdraft(
    writer, store, database, clock, ids, *, elsewhere
):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=30)
    if elsewhere:
        await give(store, "acme", elsewhere, clock=clock, ids=ids)
    before = outside(database, STATE)
    with pytest.raises(CONSTRAINT_ERRORS):
        await writer.submit(deduction("acme", 31, "k"))
    assert outside(database, STATE) == before


async def test_an_effect_whose_key_can_not_be_kept_does_not_happen(writer, store, database, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=30)
    before = outside(database, STATE)
    outside(database, *KEYS_FAIL[database.store])
    with pytest.raises((*CONSTRAINT_ERRORS, asyncpg.RaiseError)):
        await writer.submit(deduction("acme", 10, "k"))
    assert outside(database, STATE) == before
    outside(database, *KEYS_WORK[database.store])
    assert not (await writer.submit(deduction("acme", 10, "k"))).replayed
    assert (await writer.submit(deduction("acme", 10, "k"))).replayed
    assert outside(database, "SELECT balance FROM accounts") == [(20,)]
