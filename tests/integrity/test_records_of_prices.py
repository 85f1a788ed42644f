"""Verification proves why charges are what they are: of each record the amount follows, and no more was charged."""

from dataclasses import replace

import pytest

from billing_service.domain.ledger.entries import Place, TransactionKind
from billing_service.domain.ledger.granting import new_lot
from billing_service.domain.ledger.lots import Category
from billing_service.domain.ledger.posting import Posting
from billing_service.domain.spending.price_records import encode_asked, encode_price
from billing_service.integrity.verify import verify_ledger
from billing_service.ledger.writer import LedgerWriter
from billing_service.storage.rows.catching_up import lock_accounts
from billing_service.storage.rows.ledger import write_accounts
from tests.domain.test_price_records import PLAIN, with_usage
from tests.support.ledger_setup import deduction, open_account

pytestmark = pytest.mark.unchecked_ledger

OF_432 = encode_price(with_usage(PLAIN))
RECORDS = {
    "none": (432, b"", None),
    "its price": (432, OF_432, None),
    "less than its price": (431, OF_432, None),
    "nothing of its price": (0, OF_432, None),
    "more than its price": (433, OF_432, "charged"),
    "a price that does not follow from its lines": (432, OF_432.replace(b"432", b"433"), "price record"),
    "no price": (432, b"free", "price record"),
    "less than was asked for": (7, encode_asked(8), None),
    "more than was asked for": (9, encode_asked(8), "charged"),
}


@pytest.mark.parametrize(("charged", "record", "subject"), RECORDS.values(), ids=RECORDS)
async def test_a_record_is_proven(*, store, clock, ids, charged, record, subject):
    """Its digest is in the chain, so that it is the one which was written: here it was written wrong."""
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=1_000)
    writer = LedgerWriter(store, clock, ids, batch_max=16, wait_s=0)
    await writer.submit(replace(deduction("acme", charged, "k"), price_record=record))
    await writer.close()
    differences = (await verify_ledger(store)).differences
    assert [each.subject.partition(" ")[2] for each in differences] == ([subject] if subject else [])


async def test_what_charges_nothing_has_no_price(store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids)

    def work():
        account = (yield from lock_accounts(["acme"]))["acme"]
        posting = Posting(account, clock())
        posting.into_new_lot(new_lot(5, Category.PAID, now_us=clock(), ids=ids), Place.SALES)
        posting.close(ids, TransactionKind.PURCHASE, price_record=OF_432)
        yield from write_accounts([account])

    await store.write(work)
    (difference,) = (await verify_ledger(store)).differences
    assert difference.subject.endswith("price record")
