ALTER TABLE sessions ADD COLUMN price_record BLOB
-- next
ALTER TABLE accounts ADD COLUMN low_balance INTEGER NOT NULL DEFAULT 0
  CONSTRAINT ck_accounts_low_balance CHECK (low_balance >= 0)
