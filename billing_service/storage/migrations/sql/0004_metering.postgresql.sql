ALTER TABLE transactions ADD COLUMN chain_format BIGINT NOT NULL DEFAULT 1 CONSTRAINT ck_transactions_chain_format CHECK (chain_format >= 1)
-- next
ALTER TABLE transactions ADD COLUMN salt BYTEA
-- next
ALTER TABLE transactions ADD COLUMN erased_digest BYTEA
-- next
ALTER TABLE transactions ADD COLUMN price_record BYTEA
-- next
ALTER TABLE api_keys ADD COLUMN account_ids TEXT NOT NULL DEFAULT ''
-- next
ALTER TABLE api_keys ADD COLUMN spender_ids TEXT NOT NULL DEFAULT ''
-- next
ALTER TABLE accounts ADD COLUMN held BIGINT NOT NULL DEFAULT 0 CONSTRAINT ck_accounts_held CHECK (held >= 0)
-- next
ALTER TABLE accounts ADD COLUMN holds_open BIGINT NOT NULL DEFAULT 0 CONSTRAINT ck_accounts_holds_open CHECK (holds_open >= 0)
-- next
ALTER TABLE accounts ADD COLUMN holds_end_us BIGINT
-- next
ALTER TABLE accounts ADD COLUMN last_time_us BIGINT NOT NULL DEFAULT 0
-- next
CREATE INDEX ix_accounts_holds_end ON accounts (holds_end_us) WHERE holds_end_us IS NOT NULL
-- next
ALTER TABLE lots ADD COLUMN held BIGINT NOT NULL DEFAULT 0 CONSTRAINT ck_lots_held CHECK (held >= 0)
-- next
ALTER TABLE transactions ADD COLUMN effective_time_us BIGINT NOT NULL DEFAULT 0
-- next
ALTER TABLE transactions DROP CONSTRAINT ck_transactions_kind
-- next
ALTER TABLE transactions ADD CONSTRAINT ck_transactions_kind CHECK (kind BETWEEN 1 AND 12)
-- next
CREATE TABLE holds (
  account_id TEXT COLLATE "C" NOT NULL,
  hold_id TEXT COLLATE "C" NOT NULL,
  state BIGINT NOT NULL,
  amount BIGINT NOT NULL,
  captured BIGINT NOT NULL,
  released BIGINT NOT NULL,
  expiry_capture BIGINT NOT NULL,
  late_captured BIGINT NOT NULL,
  create_time_us BIGINT NOT NULL,
  expire_time_us BIGINT NOT NULL,
  caller TEXT COLLATE "C" NOT NULL,
  description TEXT NOT NULL,
  metadata TEXT NOT NULL,
  legs TEXT NOT NULL,
  rate_card_version TEXT COLLATE "C" NOT NULL DEFAULT '',
  CONSTRAINT pk_holds PRIMARY KEY (account_id, hold_id),
  CONSTRAINT ck_holds_state CHECK (state BETWEEN 1 AND 4),
  CONSTRAINT ck_holds_amounts CHECK (captured >= 0 AND released >= 0 AND captured + released <= amount),
  CONSTRAINT ck_holds_closed CHECK (state = 1 OR captured + released = amount),
  CONSTRAINT ck_holds_expiry_capture CHECK (expiry_capture >= 0 AND expiry_capture <= amount),
  CONSTRAINT ck_holds_late_captured CHECK (late_captured IN (0, 1))
)
-- next
CREATE INDEX ix_holds_ends ON holds (account_id, state, expire_time_us)
-- next
CREATE TABLE outbox (
  account_id TEXT COLLATE "C" NOT NULL,
  event_id TEXT COLLATE "C" NOT NULL,
  account_version BIGINT NOT NULL,
  kind BIGINT NOT NULL,
  create_time_us BIGINT NOT NULL,
  subject_id TEXT COLLATE "C" NOT NULL,
  detail TEXT NOT NULL,
  CONSTRAINT pk_outbox PRIMARY KEY (account_id, event_id),
  CONSTRAINT ck_outbox_kind CHECK (kind >= 1)
)
-- next
CREATE INDEX ix_outbox_created ON outbox (create_time_us)
-- next
CREATE INDEX ix_refunds_unsent ON refunds (create_time_us) WHERE status = 'PENDING' AND stripe_refund_id = ''
-- next
CREATE TABLE sessions (
  account_id TEXT COLLATE "C" NOT NULL,
  session_id TEXT COLLATE "C" NOT NULL,
  token_hash BYTEA NOT NULL,
  epoch BIGINT NOT NULL,
  closed BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  charged BIGINT NOT NULL,
  usage TEXT NOT NULL,
  estimate TEXT NOT NULL,
  rate_card_version TEXT COLLATE "C" NOT NULL,
  slice BIGINT NOT NULL,
  grace_us BIGINT NOT NULL,
  usage_key TEXT NOT NULL,
  end_transaction_id TEXT COLLATE "C" NOT NULL,
  CONSTRAINT pk_sessions PRIMARY KEY (account_id, session_id),
  CONSTRAINT ck_sessions_epoch CHECK (epoch >= 1),
  CONSTRAINT ck_sessions_closed CHECK (closed IN (0, 1)),
  CONSTRAINT ck_sessions_sequence CHECK (sequence >= 0),
  CONSTRAINT ck_sessions_charged CHECK (charged >= 0),
  CONSTRAINT ck_sessions_slice CHECK (slice >= 1),
  CONSTRAINT ck_sessions_grace_us CHECK (grace_us >= 1)
)
-- next
CREATE INDEX ix_transactions_reversals ON transactions (account_id, source_id) WHERE kind = 4
-- next
ALTER TABLE accounts ADD COLUMN limits_version BIGINT NOT NULL DEFAULT 0
-- next
ALTER TABLE holds ADD COLUMN spender_ids TEXT NOT NULL DEFAULT ''
-- next
CREATE TABLE spend_limits (
  account_id TEXT COLLATE "C" NOT NULL,
  spender_id TEXT COLLATE "C" NOT NULL,
  spend_window BIGINT NOT NULL,
  amount_max BIGINT NOT NULL,
  used BIGINT NOT NULL,
  window_start_us BIGINT NOT NULL,
  set_time_us BIGINT NOT NULL,
  CONSTRAINT pk_spend_limits PRIMARY KEY (account_id, spender_id, spend_window),
  CONSTRAINT ck_spend_limits_spend_window CHECK (spend_window IN (1, 2, 3)),
  CONSTRAINT ck_spend_limits_amount_max CHECK (amount_max >= 0),
  CONSTRAINT ck_spend_limits_used CHECK (used >= 0)
)
-- next
CREATE TABLE limited_charges (
  account_id TEXT COLLATE "C" NOT NULL,
  transaction_id TEXT COLLATE "C" NOT NULL,
  spender_ids TEXT NOT NULL,
  count_time_us BIGINT NOT NULL,
  CONSTRAINT pk_limited_charges PRIMARY KEY (account_id, transaction_id)
)
