"""Ways to change the books behind the service's back, each with what verification says of it."""

SECOND = "account_id = 'acme' AND version = 3"
SECOND_ID = f"(SELECT transaction_id FROM transactions WHERE {SECOND})"
NEWEST = "account_id = 'acme' AND version = 5"
NEWEST_ID = f"(SELECT transaction_id FROM transactions WHERE {NEWEST})"
LOT = "(SELECT lot_id FROM lots WHERE account_id = 'acme')"

TAMPERINGS = [
    ("column version", [f"UPDATE transactions SET version = 9 WHERE {SECOND}"], "version"),
    ("column previous_id", [f"UPDATE transactions SET previous_id = '' WHERE {SECOND}"], "versions before the first"),
    ("column kind", [f"UPDATE transactions SET kind = 2 WHERE {SECOND}"], "hash"),
    ("column amount", [f"UPDATE transactions SET amount = amount - 1 WHERE {SECOND}"], "amount"),
    (
        "column balance_after",
        [f"UPDATE transactions SET balance_after = balance_after + 1 WHERE {SECOND}"],
        "balance after",
    ),
    ("column create_time_us", [f"UPDATE transactions SET create_time_us = create_time_us + 1 WHERE {SECOND}"], "hash"),
    ("column source_id", [f"UPDATE transactions SET source_id = 'x' WHERE {SECOND}"], "hash"),
    ("column caller", [f"UPDATE transactions SET caller = 'mallory' WHERE {SECOND}"], "hash"),
    ("column description", [f"UPDATE transactions SET description = 'x' WHERE {SECOND}"], "hash"),
    ("column metadata", [f"UPDATE transactions SET metadata = '{{}}' WHERE {SECOND}"], "hash"),
    ("column chain_format", [f"UPDATE transactions SET chain_format = 1 WHERE {SECOND}"], "hash"),
    ("column salt", [f"UPDATE transactions SET salt = hash WHERE {SECOND}"], "hash"),
    ("column erased_digest", [f"UPDATE transactions SET erased_digest = hash WHERE {SECOND}"], "hash"),
    ("column price_record", [f"UPDATE transactions SET price_record = hash WHERE {SECOND}"], "hash"),
    (
        "column hash",
        [
            (
                f"UPDATE transactions SET hash = last_hash FROM accounts WHERE "
                f"transactions.{SECOND.replace(' AND ', ' AND transactions.')}"
                " AND accounts.account_id = 'beta'"
            )
        ],
        "hash",
    ),
    ("entry amount", [f"UPDATE entries SET amount = amount + 1 WHERE transaction_id = {SECOND_ID}"], "amount"),
    ("entry place", [f"UPDATE entries SET destination = 'expired' WHERE transaction_id = {SECOND_ID}"], "hash"),
    (
        "entry added",
        [
            (
                f"INSERT INTO entries SELECT account_id, transaction_id, 1, 'sales', {LOT}, 500 FROM "
                f"transactions WHERE {SECOND}"
            )
        ],
        "amount",
    ),
    ("entry deleted", [f"DELETE FROM entries WHERE transaction_id = {SECOND_ID}"], "entries"),
    (
        "entry without transaction",
        ["INSERT INTO entries VALUES ('acme', 'txn_zzz', 0, 'sales', 'usage', 1)"],
        "transaction txn_zzz of an entry",
    ),
    (
        "middle deleted",
        [f"DELETE FROM entries WHERE transaction_id = {SECOND_ID}", (f"DELETE FROM transactions WHERE {SECOND}")],
        "transaction txn_",
    ),
    (
        "tail deleted",
        [f"DELETE FROM entries WHERE transaction_id = {NEWEST_ID}", (f"DELETE FROM transactions WHERE {NEWEST}")],
        "transaction txn_",
    ),
    (
        "row added beside the chain",
        [
            (
                "INSERT INTO transactions SELECT account_id, 'txn_zzz', 9, previous_id, kind, amount, balance_after, "
                "create_time_us, source_id, caller, description, metadata, hash, chain_format, salt, erased_digest, "
                f"price_record, effective_time_us FROM transactions WHERE {SECOND}"
            )
        ],
        "transactions",
    ),
    ("lot raised", ["UPDATE lots SET remaining = remaining + 5 WHERE account_id = 'acme'"], "remaining"),
    (
        "lot of nobody",
        [
            (
                "INSERT INTO lots SELECT 'ghost', 'lot_g', category, priority, 5, 5, 1, create_time_us, "
                "effective_time_us, expire_time_us, source_id, 0, '', 0 FROM lots WHERE account_id = 'beta'"
            )
        ],
        "account of lot lot_g",
    ),
    (
        "account gone, its history left",
        ["DELETE FROM lots WHERE account_id = 'beta'", ("DELETE FROM accounts WHERE account_id = 'beta'")],
        "transactions",
    ),
    ("balance raised", ["UPDATE accounts SET balance = balance + 5 WHERE account_id = 'acme'"], "balance"),
    ("debt invented", ["UPDATE accounts SET debt = 5 WHERE account_id = 'acme'"], "debt"),
    ("set aside invented", ["UPDATE accounts SET set_aside = 5 WHERE account_id = 'acme'"], "set aside"),
    ("version raised", ["UPDATE accounts SET version = version + 1 WHERE account_id = 'acme'"], "version"),
    (
        "head hash changed",
        [
            (
                "UPDATE accounts SET last_hash = (SELECT last_hash FROM accounts WHERE account_id = "
                "'beta') WHERE account_id = 'acme'"
            )
        ],
        "hash",
    ),
    (
        "chain that leads back into itself",
        [f"UPDATE transactions SET previous_id = {NEWEST_ID} WHERE {SECOND}"],
        "transaction before the first",
    ),
    ("column effective_time_us", [f"UPDATE transactions SET effective_time_us = 1 WHERE {SECOND}"], "hash"),
    ("hold raised", ["UPDATE lots SET held = held + 5 WHERE account_id = 'acme'"], "held"),
    ("held invented", ["UPDATE accounts SET held = 5 WHERE account_id = 'acme'"], "held"),
    ("open holds invented", ["UPDATE accounts SET holds_open = 1 WHERE account_id = 'acme'"], "open holds"),
    (
        "hold invented",
        [
            (
                "INSERT INTO holds (account_id, hold_id, state, amount, captured, released, expiry_capture, "
                "late_captured, create_time_us, expire_time_us, caller, description, metadata, legs) "
                "VALUES ('acme', 'hold_x', 2, 5, 5, 0, 0, 0, 1, 2, '', '', '', '[[\"lot_x\",3,5,5,0]]')"
            )
        ],
        "hold hold_x legs",
    ),
    (
        "deduction marked reversed",
        [(f"INSERT INTO deduction_reversals SELECT 'acme', transaction_id, 5 FROM transactions WHERE {SECOND}")],
        "reversed",
    ),
    (
        "head moved back",
        [
            (
                "UPDATE accounts SET last_transaction_id = (SELECT previous_id FROM transactions "
                "WHERE account_id = 'acme' AND version = 5) WHERE account_id = 'acme'"
            )
        ],
        "version",
    ),
    (
        "event ahead of its account",
        ["INSERT INTO outbox VALUES ('acme', 'evt_g', 99, 3, 1, 'txn_g', '{}', 0)"],
        "version that event evt_g belongs to",
    ),
]
