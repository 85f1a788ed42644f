"""What is held, counted for operators."""

from billing_service.domain.spending.holds import Author, HoldMode, HoldTerms
from billing_service.jobs.open_holds import OpenHolds
from billing_service.ledger.keys import IdempotencyKey, fingerprint
from billing_service.ledger.operations.holds import HoldCredits
from billing_service.ledger.writer import LedgerWriter
from tests.support.doubles import SECOND_US
from tests.support.ledger_setup import open_account


def hold(account_id, amount, key):
    asked = HoldTerms(amount, HoldMode.REJECT, 1, 60 * SECOND_US, 0)
    spent = IdempotencyKey(account_id, key, "tests/HoldCredits", fingerprint(key))
    return HoldCredits(account_id, asked, spent, Author("tests"), lambda *_: b"held")


async def test_open_holds_of_all_accounts_are_counted_with_what_they_reserve(store, clock, ids):
    job = OpenHolds(store)
    await job.run()
    assert (job.count, job.microcredits) == (0, 0)
    for account_id in ("acme", "beta"):
        await open_account(store, account_id, clock=clock, ids=ids, microcredits=100)
    writer = LedgerWriter(store, clock, ids, batch_max=16, wait_s=0)
    for number, account_id in enumerate(("acme", "acme", "beta")):
        await writer.submit(hold(account_id, 10 + number, f"k{number}"))
    await writer.close()
    await job.run()
    assert (job.count, job.microcredits) == (3, 33)
