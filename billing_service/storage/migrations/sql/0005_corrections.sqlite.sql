ALTER TABLE sessions ADD COLUMN price_record BLOB
-- next
ALTER TABLE accounts ADD COLUMN low_balance INTEGER NOT NULL DEFAULT 0
  CONSTRAINT ck_accounts_low_balance CHECK (low_balance >= 0)
-- next
PRAGMA writable_schema = ON
-- next
UPDATE sqlite_schema
SET sql = replace(sql, 'CHECK (kind BETWEEN 1 AND 12)', 'CHECK (kind BETWEEN 1 AND 13)')
WHERE name = 'transactions'
-- next
PRAGMA writable_schema = RESET
-- next
CREATE TABLE corrections (
  account_id TEXT NOT NULL,
  transaction_id TEXT NOT NULL,
  rate_card_version TEXT NOT NULL,
  moved INTEGER NOT NULL,
  correction_id TEXT NOT NULL,
  CONSTRAINT pk_corrections PRIMARY KEY (account_id, transaction_id, rate_card_version),
  CONSTRAINT ck_corrections_moved CHECK ((moved = 0) = (correction_id = ''))
) STRICT, WITHOUT ROWID
