"""Texts of the ledger can be erased without breaking its proof, and nothing else passes for an erasure."""

from dataclasses import replace

import pytest

from billing_service.domain.ledger.chain import GENESIS, link, texts_digest
from billing_service.domain.ledger.entries import Transaction, TransactionKind
from billing_service.integrity.verify import verify_ledger
from billing_service.ledger.writer import LedgerWriter
from billing_service.storage.rows.history import newest_transaction
from billing_service.storage.rows.verification import links
from tests.support.ledger_setup import deduction, open_account
from tests.support.tampering import tamper

pytestmark = pytest.mark.unchecked_ledger


@pytest.fixture
async def books(store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=1_000)
    return store


def blob(database, value):
    """Bytes, as the store's SQL writes them."""
    return f"X'{value.hex()}'" if database.store == "sqlite" else f"'\\x{value.hex()}'::bytea"


ERASED_TEXTS = Transaction(
    "",
    "",
    1,
    "",
    TransactionKind.DEDUCTION,
    0,
    0,
    0,
    description="a name",
    metadata='{"a":"b"}',
    salt=(1).to_bytes(16, "big"),
)
"""As far as their digest goes."""
GONE = "salt = NULL, description = '', metadata = ''"
ERASURES = {
    "whole": (GONE + ", erased_digest = {digest}", None),
    "salt left": ("description = '', metadata = '', erased_digest = {digest}", "hash"),
    "a text left": ("salt = NULL, metadata = '', erased_digest = {digest}", "hash"),
    "no digest left": (GONE, "hash"),
    "a digest, and nothing erased": ("erased_digest = {digest}", "digest of erased texts"),
    "another text for the erased one": (
        GONE.replace("''", "'x'", 1) + ", erased_digest = {digest}",
        "digest of erased texts",
    ),
}


@pytest.mark.parametrize(("change", "subject"), ERASURES.values(), ids=ERASURES)
async def test_erased_texts_are_counted_and_nothing_less_passes_for_them(  # noqa: PLR0917 - fixtures
    books, database, ids, clock, change, subject
):
    writer = LedgerWriter(books, clock, ids, batch_max=16, wait_s=0)
    await writer.submit(replace(deduction("acme", 3, "texts"), description="a name", metadata='{"a":"b"}'))
    await writer.close()
    assert (await verify_ledger(books)).erased == 0
    digest = blob(database, texts_digest(ERASED_TEXTS))
    tamper(
        database, f"UPDATE transactions SET {change.format(digest=digest)} WHERE account_id = 'acme' AND version = 2"
    )
    report = await verify_ledger(books)
    if subject is None:
        assert (report.erased, report.differences) == (1, [])
    else:
        assert any(subject in difference.subject for difference in report.differences), report.differences


@pytest.mark.parametrize("column", ["salt", "erased_digest", "price_record"])
async def test_a_row_of_the_first_format_has_nothing_of_the_second(books, database, ids, clock, column):
    """Its hash would not show it."""
    await open_account(books, "older", clock=clock, ids=ids, microcredits=5)
    newest_id = await books.read(lambda: newest_transaction("older"))
    (newest,) = await books.read(lambda: links("older", newest_id, 1))
    first = blob(database, link(GENESIS, replace(newest, chain_format=1)))
    tamper(
        database,
        f"UPDATE transactions SET chain_format = 1, hash = {first} WHERE account_id = 'older'",
        f"UPDATE accounts SET last_hash = {first} WHERE account_id = 'older'",
    )
    assert (await verify_ledger(books)).differences == []
    tamper(database, f"UPDATE transactions SET {column} = hash WHERE account_id = 'older'")
    differences = (await verify_ledger(books)).differences
    assert any(difference.subject.endswith("columns that format 1 does not hash") for difference in differences)
