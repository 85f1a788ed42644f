ALTER TABLE transactions ADD COLUMN chain_format INTEGER NOT NULL DEFAULT 1 CONSTRAINT ck_transactions_chain_format CHECK (chain_format >= 1)
-- next
ALTER TABLE transactions ADD COLUMN salt BLOB
-- next
ALTER TABLE transactions ADD COLUMN erased_digest BLOB
-- next
ALTER TABLE transactions ADD COLUMN price_record BLOB
-- next
ALTER TABLE api_keys ADD COLUMN account_ids TEXT NOT NULL DEFAULT ''
-- next
ALTER TABLE api_keys ADD COLUMN spender_ids TEXT NOT NULL DEFAULT ''
-- next
ALTER TABLE accounts ADD COLUMN held INTEGER NOT NULL DEFAULT 0 CONSTRAINT ck_accounts_held CHECK (held >= 0)
-- next
ALTER TABLE accounts ADD COLUMN holds_open INTEGER NOT NULL DEFAULT 0 CONSTRAINT ck_accounts_holds_open CHECK (holds_open >= 0)
-- next
ALTER TABLE accounts ADD COLUMN holds_end_us INTEGER
-- next
ALTER TABLE accounts ADD COLUMN last_time_us INTEGER NOT NULL DEFAULT 0
-- next
CREATE INDEX ix_accounts_holds_end ON accounts (holds_end_us) WHERE holds_end_us IS NOT NULL
-- next
ALTER TABLE lots ADD COLUMN held INTEGER NOT NULL DEFAULT 0 CONSTRAINT ck_lots_held CHECK (held >= 0)
-- next
ALTER TABLE transactions ADD COLUMN effective_time_us INTEGER NOT NULL DEFAULT 0
-- next
PRAGMA writable_schema = ON
-- next
UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (kind BETWEEN 1 AND 10)', 'CHECK (kind BETWEEN 1 AND 12)') WHERE name = 'transactions'
-- next
PRAGMA writable_schema = RESET
-- next
CREATE TABLE holds (
  account_id TEXT NOT NULL,
  hold_id TEXT NOT NULL,
  state INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  captured INTEGER NOT NULL,
  released INTEGER NOT NULL,
  expiry_capture INTEGER NOT NULL,
  late_captured INTEGER NOT NULL,
  create_time_us INTEGER NOT NULL,
  expire_time_us INTEGER NOT NULL,
  caller TEXT NOT NULL,
  description TEXT NOT NULL,
  metadata TEXT NOT NULL,
  legs TEXT NOT NULL,
  rate_card_version TEXT NOT NULL DEFAULT '',
  CONSTRAINT pk_holds PRIMARY KEY (account_id, hold_id),
  CONSTRAINT ck_holds_state CHECK (state BETWEEN 1 AND 4),
  CONSTRAINT ck_holds_amounts CHECK (captured >= 0 AND released >= 0 AND captured + released <= amount),
  CONSTRAINT ck_holds_closed CHECK (state = 1 OR captured + released = amount),
  CONSTRAINT ck_holds_expiry_capture CHECK (expiry_capture >= 0 AND expiry_capture <= amount),
  CONSTRAINT ck_holds_late_captured CHECK (late_captured IN (0, 1))
) STRICT, WITHOUT ROWID
-- next
CREATE INDEX ix_holds_ends ON holds (account_id, state, expire_time_us)
-- next
CREATE TABLE outbox (
  account_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  account_version INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  create_time_us INTEGER NOT NULL,
  subject_id TEXT NOT NULL,
  detail TEXT NOT NULL,
  CONSTRAINT pk_outbox PRIMARY KEY (account_id, event_id),
  CONSTRAINT ck_outbox_kind CHECK (kind >= 1)
) STRICT, WITHOUT ROWID
-- next
CREATE INDEX ix_outbox_created ON outbox (create_time_us)
-- next
CREATE INDEX ix_refunds_unsent ON refunds (create_time_us) WHERE status = 'PENDING' AND stripe_refund_id = ''
-- next
CREATE TABLE sessions (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  token_hash BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  closed INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  charged INTEGER NOT NULL,
  usage TEXT NOT NULL,
  estimate TEXT NOT NULL,
  rate_card_version TEXT NOT NULL,
  slice INTEGER NOT NULL,
  grace_us INTEGER NOT NULL,
  usage_key TEXT NOT NULL,
  end_transaction_id TEXT NOT NULL,
  CONSTRAINT pk_sessions PRIMARY KEY (account_id, session_id),
  CONSTRAINT ck_sessions_epoch CHECK (epoch >= 1),
  CONSTRAINT ck_sessions_closed CHECK (closed IN (0, 1)),
  CONSTRAINT ck_sessions_sequence CHECK (sequence >= 0),
  CONSTRAINT ck_sessions_charged CHECK (charged >= 0),
  CONSTRAINT ck_sessions_slice CHECK (slice >= 1),
  CONSTRAINT ck_sessions_grace_us CHECK (grace_us >= 1)
) STRICT, WITHOUT ROWID
-- next
CREATE INDEX ix_transactions_reversals ON transactions (account_id, source_id) WHERE kind = 4
-- next
ALTER TABLE accounts ADD COLUMN limits_version INTEGER NOT NULL DEFAULT 0
-- next
ALTER TABLE holds ADD COLUMN spender_ids TEXT NOT NULL DEFAULT ''
-- next
CREATE TABLE spend_limits (
  account_id TEXT NOT NULL,
  spender_id TEXT NOT NULL,
  spend_window INTEGER NOT NULL,
  amount_max INTEGER NOT NULL,
  used INTEGER NOT NULL,
  window_start_us INTEGER NOT NULL,
  set_time_us INTEGER NOT NULL,
  CONSTRAINT pk_spend_limits PRIMARY KEY (account_id, spender_id, spend_window),
  CONSTRAINT ck_spend_limits_spend_window CHECK (spend_window IN (1, 2, 3)),
  CONSTRAINT ck_spend_limits_amount_max CHECK (amount_max >= 0),
  CONSTRAINT ck_spend_limits_used CHECK (used >= 0)
) STRICT, WITHOUT ROWID
-- next
CREATE TABLE limited_charges (
  account_id TEXT NOT NULL,
  transaction_id TEXT NOT NULL,
  spender_ids TEXT NOT NULL,
  count_time_us INTEGER NOT NULL,
  CONSTRAINT pk_limited_charges PRIMARY KEY (account_id, transaction_id)
) STRICT, WITHOUT ROWID
