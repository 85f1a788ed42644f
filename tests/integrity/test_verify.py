"""Verification finds every way to change the books behind the service's back, on both stores."""

import pytest

from billing_service.integrity import unreached, verify
from billing_service.integrity.differences import Report
from billing_service.integrity.heads import HeadsInvalidError, export_heads, read_heads
from billing_service.integrity.verify import verify_ledger
from billing_service.integrity.verify_parts import START, verify_part
from billing_service.ledger.writer import LedgerWriter
from tests.integrity.tamperings import NEWEST, NEWEST_ID, TAMPERINGS
from tests.support.ledger_setup import deduction, open_account
from tests.support.tampering import tamper

pytestmark = pytest.mark.unchecked_ledger


@pytest.fixture
async def books(store, clock, ids):
    """Two accounts, four deductions of one, one of the other."""
    for account_id in ("acme", "beta"):
        await open_account(store, account_id, clock=clock, ids=ids, microcredits=1_000)
    writer = LedgerWriter(store, clock, ids, batch_max=16, wait_s=0)
    for number in range(4):
        await writer.submit(deduction("acme", 10 + number, f"k{number}"))
    await writer.submit(deduction("beta", 7, "k"))
    await writer.close()
    return store


async def verified(books):
    """The report of one walk, which parts of every length add up to."""
    whole = await verify_ledger(books)
    for transactions_max in (1, 6, 1_000):
        added, total, place, parts = Report(), 0, START, 0
        while place is not None:
            part = await verify_part(books, place, transactions_max)
            added.add(part.report)
            total, place, parts = total + part.transaction_total, part.next, parts + 1
        assert added == whole
        assert parts >= 3
    return whole


@pytest.mark.parametrize(("statements", "subject"), [row[1:] for row in TAMPERINGS], ids=[row[0] for row in TAMPERINGS])
async def test_tampering_shows(books, database, statements, subject):
    tamper(database, *statements)
    report = await verified(books)
    assert any(subject in difference.subject for difference in report.differences), report.differences


BESIDE = [
    (
        "entry of nobody",
        "INSERT INTO entries VALUES ('{}', 'txn_zzz', 0, 'sales', 'usage', 1)",
        ("transaction txn_zzz of an entry"),
    ),
    (
        "transaction of nobody",
        (
            "INSERT INTO transactions SELECT '{}', 'txn_zzz', 1, '', kind, amount, balance_after, create_time_us, "
            "source_id, "
            "caller, description, metadata, hash, chain_format, salt, erased_digest, price_record, "
            "effective_time_us FROM transactions "
            "WHERE account_id = 'beta' AND version = 1"
        ),
        "transactions",
    ),
    (
        "lot of nobody",
        (
            "INSERT INTO lots SELECT '{}', 'lot_g', category, priority, 5, 5, 1, create_time_us, effective_time_us, "
            "expire_time_us, source_id, 0, '', 0 "
            "FROM lots WHERE account_id = 'beta'"
        ),
        "account of lot lot_g",
    ),
    (
        "event of nobody",
        "INSERT INTO outbox VALUES ('{}', 'evt_g', 1, 3, 1, 'txn_g', '', 0)",
        "version that event evt_g belongs to",
    ),
]


@pytest.fixture(params=[0, 1, 1_000])
def ranges(request, monkeypatch):
    """How long they are, less one."""
    monkeypatch.setattr(unreached, "ROWS_A_READ", request.param)


@pytest.mark.parametrize("beside", [row[1:] for row in BESIDE], ids=[row[0] for row in BESIDE])
@pytest.mark.parametrize("nobody", ["\x01", "a", "acme 2", "zoe", "\U0010ffff" * 128])
@pytest.mark.usefixtures("ranges")
async def test_what_no_account_has_shows_wherever_it_lies(books, database, beside, nobody):
    statement, subject = beside
    tamper(database, statement.format(nobody))
    report = await verified(books)
    assert [(each.account_id, each.subject) for each in report.differences] == [(nobody, subject)]


@pytest.mark.parametrize(("rows", "reads"), [(0, 1 + 8 + 3 + 1), (1, 1 + 4 + 2 + 1), (6, 1 + 2 + 1 + 1), (7, 4)])
async def test_a_search_is_made_of_short_reads_where_a_long_one_would_keep_the_journal(books, monkeypatch, rows, reads):
    """The count, what belongs to seven transactions, the lots of two accounts, and no event."""
    monkeypatch.setattr(unreached, "ROWS_A_READ", rows)
    seen = [report async for report in unreached.unreached(books)]
    assert [each.differences for each in seen] == [[]] * (reads if books.name == "sqlite" else 4)


async def test_clean_books_have_no_difference(books):
    report = await verified(books)
    assert (report.accounts, report.transactions, report.entries, report.differences) == (2, 7, 7, [])


async def test_one_account_alone(books, database):
    tamper(database, "UPDATE accounts SET balance = balance + 5 WHERE account_id = 'acme'")
    assert (await verify_ledger(books, "beta")).differences == []
    assert (await verify_ledger(books, "acme")).differences


@pytest.mark.parametrize(("links", "accounts"), [(1, 1), (2, 2), (3, 1)])
async def test_pages_of_any_size_read_the_same(books, monkeypatch, links, accounts):
    monkeypatch.setattr(verify, "LINKS_A_READ", links)
    monkeypatch.setattr(verify, "ACCOUNTS_A_READ", accounts)
    report = await verify_ledger(books)
    assert (report.accounts, report.transactions, report.entries, report.differences) == (2, 7, 7, [])


REWRITES = [
    (
        "newest part cut off",
        [
            f"DELETE FROM entries WHERE transaction_id = {NEWEST_ID}",
            (
                "UPDATE accounts SET version = 4, last_transaction_id = t.previous_id, balance = balance - t.amount, "
                "last_hash = (SELECT o.hash FROM transactions AS o WHERE o.transaction_id = t.previous_id) "
                "FROM transactions AS t WHERE accounts.account_id = 'acme' AND t.account_id = 'acme' AND t.version = 5"
            ),
            "UPDATE lots SET remaining = remaining + 13 WHERE account_id = 'acme'",
            f"DELETE FROM transactions WHERE {NEWEST}",
        ],
        "version is not below",
    ),
    (
        "account gone",
        [
            "DELETE FROM entries WHERE account_id = 'beta'",
            "DELETE FROM transactions WHERE account_id = 'beta'",
            "DELETE FROM lots WHERE account_id = 'beta'",
            "DELETE FROM accounts WHERE account_id = 'beta'",
        ],
        "account of an exported head",
    ),
]


@pytest.mark.parametrize(("statements", "subject"), [row[1:] for row in REWRITES], ids=[row[0] for row in REWRITES])
async def test_a_rewritten_history_shows_by_the_exported_heads_alone(books, database, tmp_path, statements, subject):
    await export_heads(books, tmp_path / "heads")
    tamper(database, *statements)
    assert (await verify_ledger(books)).differences == []
    report = await verify_ledger(books, heads=read_heads(tmp_path / "heads"))
    assert [difference for difference in report.differences if subject in difference.subject], report.differences


async def test_a_history_written_again_from_some_point_shows(books, tmp_path):
    """Whoever can compute the hashes can write a history that fits itself; it does not fit the head that was kept."""
    await export_heads(books, tmp_path / "heads")
    heads = dict(read_heads(tmp_path / "heads"))
    heads["acme"] = heads["acme"]._replace(hash="00" * 32)
    report = await verify_ledger(books, heads=heads)
    assert [difference.subject.endswith("exported hash") for difference in report.differences] == [True]


async def test_heads_fit_a_ledger_that_went_on(books, clock, ids, tmp_path):
    exported = await export_heads(books, tmp_path / "heads")
    writer = LedgerWriter(books, clock, ids, batch_max=16, wait_s=0)
    await writer.submit(deduction("acme", 1, "later"))
    await writer.close()
    assert exported.accounts == 2
    assert (await verify_ledger(books, heads=read_heads(tmp_path / "heads"))).differences == []


BAD_FILES = [
    ("empty", lambda lines: lines[:0]),
    ("last line missing", lambda lines: lines[:-1]),
    ("a head missing", lambda lines: lines[1:]),
    ("a head changed", lambda lines: [lines[0].replace(b'"version":5', b'"version":4'), *lines[1:]]),
    ("a line added", lambda lines: [*lines, lines[0]]),
    ("no JSON", lambda lines: [b"heads\n", *lines]),
    ("another list", lambda lines: [b"[]\n", *lines]),
]


@pytest.mark.parametrize("change", [row[1] for row in BAD_FILES], ids=[row[0] for row in BAD_FILES])
async def test_a_changed_export_is_refused(books, tmp_path, change):
    path = tmp_path / "heads"
    await export_heads(books, path)
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(HeadsInvalidError):
        read_heads(path)
