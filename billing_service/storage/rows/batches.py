"""What a batch reads, in one statement: accounts locked, their open lots, and the keys that were spent.

On PostgreSQL a statement sees one snapshot. A lock that had to wait returns a row newer than that snapshot, so lots and
keys read by the same statement would be stale. So each account is read twice, locked and as the snapshot has it. Every
change of a lot makes a new version of its account; where the two versions differ, lots and keys are read again, now
that the locks are held.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import FromClause, alias, cast, literal_column, null, select, union_all

from billing_service.domain.ledger.account import Account
from billing_service.storage.rows.catching_up import catch_up
from billing_service.storage.rows.keys import FIND, NAMES, KeyId, StoredKey, found_keys, found_keys_sqlite
from billing_service.storage.rows.ledger import account_of, lot_of, order_lots
from billing_service.storage.rows.ledger_statements import READ_OPEN_LOTS
from billing_service.storage.schema import Bytes, Id, Number, accounts, lots
from billing_service.storage.statements import InList, Statement, UnlockedRead, Work, reading

_ACCOUNT, _LOT, _KEY = 0, 1, 2
_NO_TEXT = literal_column("''", type_=Id)


def _padded(kind: int, texts: Sequence[Any], numbers: Sequence[Any], blobs: Sequence[Any]) -> list[Any]:
    """Columns of one kind of row: 4 texts, 15 numbers, 2 blobs."""
    return [
        literal_column(str(kind)),
        *texts,
        *[_NO_TEXT] * (4 - len(texts)),
        *numbers,
        *[cast(null(), Number)] * (15 - len(numbers)),
        *blobs,
        *[cast(null(), Bytes)] * (2 - len(blobs)),
    ]


def _element(keys: FromClause, *, lock: bool) -> Any:
    named = select(*accounts.columns).where(InList(accounts.c.account_id, "list_ids")).order_by(accounts.c.account_id)
    locked = (named.with_for_update() if lock else named).cte("locked")
    seen = alias(accounts, "seen")
    account_numbers = [
        locked.c.version,
        locked.c.balance,
        locked.c.debt,
        locked.c.set_aside,
        locked.c.overdraft_limit,
        locked.c.frozen,
        locked.c.debt_max,
        locked.c.caught_up_version,
        locked.c.held,
        locked.c.holds_open,
        locked.c.holds_end_us,
        locked.c.last_time_us,
        *(locked.c.limits_version, locked.c.low_balance),
    ]
    account_rows = select(
        *_padded(
            _ACCOUNT,
            [locked.c.account_id, locked.c.last_transaction_id],
            [*account_numbers, seen.c.version],
            [locked.c.last_hash],
        )
    ).join_from(locked, seen, seen.c.account_id == locked.c.account_id)
    lot_numbers = [
        lots.c.category,
        lots.c.priority,
        lots.c.amount,
        lots.c.remaining,
        lots.c.create_time_us,
        lots.c.effective_time_us,
        lots.c.expire_time_us,
        lots.c.expired,
        lots.c.held,
    ]
    lot_rows = select(
        *_padded(_LOT, [lots.c.account_id, lots.c.lot_id, lots.c.source_id, lots.c.ended_to], lot_numbers, [])
    ).where(InList(lots.c.account_id, "list_ids"), lots.c.is_open == literal_column("1"))
    key_rows = select(
        *_padded(
            _KEY,
            [keys.c.account_id, keys.c.idempotency_key, keys.c.scope, keys.c.resource_id],
            [],
            [keys.c.fingerprint, keys.c.reply],
        )
    )
    return union_all(account_rows, lot_rows, key_rows)


def _reading(name: str, *, lock: bool) -> Statement:
    for_sqlite = _element(found_keys_sqlite(), lock=lock)
    return reading(name, _element(found_keys(), lock=lock), "list_ids", *NAMES, sqlite_element=for_sqlite)


LOCK_BATCH = _reading("lock batch", lock=True)
READ_BATCH = _reading("read batch", lock=False)


def lock_batch(
    account_ids: Sequence[str], wanted: Sequence[KeyId]
) -> Work[tuple[dict[str, Account], dict[KeyId, StoredKey]]]:
    """The accounts that exist, locked in the order given, with their open lots; and the spent ones of the wanted
    keys."""
    found, spent, stale = _sorted_out((yield LOCK_BATCH(account_ids, *zip(*wanted, strict=True))))
    if stale:
        spent = yield from _read_again(found, wanted)
    for account in found.values():
        yield from catch_up(account)
    order_lots(found)
    return found, spent


def read_batch(
    account_ids: Sequence[str], wanted: Sequence[KeyId]
) -> Work[tuple[dict[str, Account], dict[KeyId, StoredKey]]]:
    """The same, of one moment and without a lock."""
    found, spent, _ = _sorted_out((yield UnlockedRead(READ_BATCH(account_ids, *zip(*wanted, strict=True)))))
    order_lots(found)
    return found, spent


def _sorted_out(rows: Sequence[Sequence[Any]]) -> tuple[dict[str, Account], dict[KeyId, StoredKey], bool]:
    """Accounts, spent keys, and whether an account changed while its lock was waited for."""
    found: dict[str, Account] = {}
    spent: dict[KeyId, StoredKey] = {}
    stale = False
    for row in rows:
        if row[0] == _ACCOUNT:
            version, *state, seen_version = row[5:20]
            stale = stale or version != seen_version
            found[row[1]] = account_of((row[1], version, row[2], row[20], *state))
        elif row[0] == _LOT:
            found[row[1]].lots.append(lot_of((row[2], *row[5:12], row[3], row[12], row[4], row[13])))
        else:
            spent[row[1], row[2], row[3]] = StoredKey(row[20], row[21], row[4])
    return found, spent, stale


def _read_again(found: dict[str, Account], wanted: Sequence[KeyId]) -> Work[dict[KeyId, StoredKey]]:
    for account in found.values():
        account.lots.clear()
    for row in (yield READ_OPEN_LOTS(list(found))):
        found[row[0]].lots.append(lot_of(row[1:]))
    key_accounts, key_values, key_scopes = zip(*wanted, strict=True)
    return {
        (row[0], row[1], row[2]): StoredKey(*row[3:6]) for row in (yield FIND(key_accounts, key_values, key_scopes))
    }
