ALTER TABLE sessions ADD COLUMN price_record BYTEA
-- next
ALTER TABLE accounts ADD COLUMN low_balance BIGINT NOT NULL DEFAULT 0
  CONSTRAINT ck_accounts_low_balance CHECK (low_balance >= 0)
-- next
ALTER TABLE transactions DROP CONSTRAINT ck_transactions_kind
-- next
ALTER TABLE transactions ADD CONSTRAINT ck_transactions_kind CHECK (kind BETWEEN 1 AND 13)
-- next
CREATE TABLE corrections (
  account_id TEXT COLLATE "C" NOT NULL,
  transaction_id TEXT COLLATE "C" NOT NULL,
  rate_card_version TEXT COLLATE "C" NOT NULL,
  moved BIGINT NOT NULL,
  correction_id TEXT COLLATE "C" NOT NULL,
  CONSTRAINT pk_corrections PRIMARY KEY (account_id, transaction_id, rate_card_version),
  CONSTRAINT ck_corrections_moved CHECK ((moved = 0) = (correction_id = ''))
)
