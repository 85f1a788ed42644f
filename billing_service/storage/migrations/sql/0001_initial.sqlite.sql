CREATE TABLE accounts (
  account_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  last_transaction_id TEXT NOT NULL,
  last_hash BLOB NOT NULL,
  balance INTEGER NOT NULL,
  debt INTEGER NOT NULL,
  set_aside INTEGER NOT NULL,
  overdraft_limit INTEGER NOT NULL,
  frozen INTEGER NOT NULL,
  create_time_us INTEGER NOT NULL,
  CONSTRAINT pk_accounts PRIMARY KEY (account_id),
  CONSTRAINT ck_accounts_version CHECK (version >= 0),
  CONSTRAINT ck_accounts_balance CHECK (balance >= -debt AND balance <= 9000000000000000),
  CONSTRAINT ck_accounts_debt CHECK (debt >= 0 AND debt <= 9000000000000000),
  CONSTRAINT ck_accounts_set_aside CHECK (set_aside >= 0),
  CONSTRAINT ck_accounts_overdraft_limit CHECK (overdraft_limit >= 0),
  CONSTRAINT ck_accounts_frozen CHECK (frozen IN (0, 1))
) STRICT, WITHOUT ROWID
-- next
CREATE TABLE api_keys (
  key_id TEXT NOT NULL,
  caller TEXT NOT NULL,
  scopes TEXT NOT NULL,
  secret_hash BLOB NOT NULL,
  create_time_us INTEGER NOT NULL,
  expire_time_us INTEGER,
  revoke_time_us INTEGER,
  last_use_time_us INTEGER,
  CONSTRAINT pk_api_keys PRIMARY KEY (key_id)
) STRICT, WITHOUT ROWID
-- next
CREATE INDEX ix_api_keys_caller ON api_keys (caller)
-- next
CREATE TABLE audit_records (
  audit_id TEXT NOT NULL,
  create_time_us INTEGER NOT NULL,
  caller TEXT NOT NULL,
  peer TEXT NOT NULL,
  method TEXT NOT NULL,
  account_id TEXT NOT NULL,
  detail TEXT NOT NULL,
  CONSTRAINT pk_audit_records PRIMARY KEY (audit_id)
) STRICT
-- next
CREATE INDEX ix_audit_records_account ON audit_records (account_id, audit_id)
-- next
CREATE TABLE deduction_reversals (
  account_id TEXT NOT NULL,
  transaction_id TEXT NOT NULL,
  reversed INTEGER NOT NULL,
  CONSTRAINT pk_deduction_reversals PRIMARY KEY (account_id, transaction_id),
  CONSTRAINT ck_deduction_reversals_reversed CHECK (reversed > 0)
) STRICT, WITHOUT ROWID
-- next
CREATE TABLE entries (
  account_id TEXT NOT NULL,
  transaction_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  source TEXT NOT NULL,
  destination TEXT NOT NULL,
  amount INTEGER NOT NULL,
  CONSTRAINT pk_entries PRIMARY KEY (transaction_id, position, account_id),
  CONSTRAINT ck_entries_amount CHECK (amount > 0),
  CONSTRAINT ck_entries_places CHECK (source <> destination)
) STRICT, WITHOUT ROWID
-- next
CREATE TABLE idempotency_keys (
  account_id TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  scope TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  reply BLOB,
  resource_id TEXT NOT NULL,
  create_time_us INTEGER NOT NULL,
  CONSTRAINT pk_idempotency_keys PRIMARY KEY (idempotency_key, account_id, scope)
) STRICT, WITHOUT ROWID
-- next
CREATE TABLE lots (
  account_id TEXT NOT NULL,
  lot_id TEXT NOT NULL,
  category INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  remaining INTEGER NOT NULL,
  is_open INTEGER NOT NULL,
  create_time_us INTEGER NOT NULL,
  effective_time_us INTEGER NOT NULL,
  expire_time_us INTEGER,
  source_id TEXT NOT NULL,
  CONSTRAINT pk_lots PRIMARY KEY (account_id, lot_id),
  CONSTRAINT ck_lots_category CHECK (category IN (1, 2, 3)),
  CONSTRAINT ck_lots_priority CHECK (priority BETWEEN 0 AND 100),
  CONSTRAINT ck_lots_amount CHECK (amount > 0),
  CONSTRAINT ck_lots_remaining CHECK (remaining >= 0 AND remaining <= amount),
  CONSTRAINT ck_lots_is_open CHECK (is_open = CASE WHEN remaining > 0 THEN 1 ELSE 0 END)
) STRICT, WITHOUT ROWID
-- next
CREATE INDEX ix_lots_expiry ON lots (expire_time_us) WHERE is_open = 1 AND expire_time_us IS NOT NULL
-- next
CREATE INDEX ix_lots_open ON lots (account_id) WHERE is_open = 1
-- next
CREATE TABLE profiles (
  account_id TEXT NOT NULL,
  email TEXT NOT NULL,
  name TEXT NOT NULL,
  referral_code TEXT NOT NULL,
  metadata TEXT NOT NULL,
  stripe_customer_id TEXT NOT NULL,
  customer_attempt INTEGER NOT NULL,
  CONSTRAINT pk_profiles PRIMARY KEY (account_id)
) STRICT, WITHOUT ROWID
-- next
CREATE TABLE purchase_references (
  reference TEXT NOT NULL,
  account_id TEXT NOT NULL,
  purchase_id TEXT NOT NULL,
  CONSTRAINT pk_purchase_references PRIMARY KEY (reference)
) STRICT, WITHOUT ROWID
-- next
CREATE TABLE purchases (
  account_id TEXT NOT NULL,
  purchase_id TEXT NOT NULL,
  package_code TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  credits INTEGER NOT NULL,
  amount_minor INTEGER NOT NULL,
  currency TEXT NOT NULL,
  status TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  checkout_session_id TEXT NOT NULL,
  checkout_url TEXT NOT NULL,
  payment_intent_id TEXT NOT NULL,
  paid_minor INTEGER NOT NULL,
  refunded_minor INTEGER NOT NULL,
  disputed_minor INTEGER NOT NULL,
  reversed INTEGER NOT NULL,
  lot_id TEXT NOT NULL,
  success_url TEXT NOT NULL,
  cancel_url TEXT NOT NULL,
  metadata TEXT NOT NULL,
  create_time_us INTEGER NOT NULL,
  expire_time_us INTEGER NOT NULL,
  complete_time_us INTEGER,
  CONSTRAINT pk_purchases PRIMARY KEY (account_id, purchase_id),
  CONSTRAINT ck_purchases_status CHECK (status IN ('PENDING', 'AWAITING_FUNDS', 'COMPLETED', 'FAILED', 'EXPIRED', 'CANCELED')),
  CONSTRAINT ck_purchases_credits CHECK (credits > 0),
  CONSTRAINT ck_purchases_amount_minor CHECK (amount_minor > 0),
  CONSTRAINT ck_purchases_paid_minor CHECK (paid_minor >= 0),
  CONSTRAINT ck_purchases_refunded_minor CHECK (refunded_minor >= 0),
  CONSTRAINT ck_purchases_reversed CHECK (reversed >= 0 AND reversed <= credits)
) STRICT, WITHOUT ROWID
-- next
CREATE TABLE referral_codes (
  referral_code TEXT NOT NULL,
  account_id TEXT NOT NULL,
  CONSTRAINT pk_referral_codes PRIMARY KEY (referral_code)
) STRICT, WITHOUT ROWID
-- next
CREATE TABLE referrals (
  account_id TEXT NOT NULL,
  referrer_account_id TEXT NOT NULL,
  state TEXT NOT NULL,
  bonus INTEGER NOT NULL,
  purchase_id TEXT NOT NULL,
  referee_lot_id TEXT NOT NULL,
  referrer_lot_id TEXT NOT NULL,
  referee_taken INTEGER NOT NULL,
  referrer_taken INTEGER NOT NULL,
  create_time_us INTEGER NOT NULL,
  reward_time_us INTEGER,
  CONSTRAINT pk_referrals PRIMARY KEY (account_id),
  CONSTRAINT ck_referrals_state CHECK (state IN ('PENDING', 'QUALIFIED', 'REWARDED', 'CLOSED', 'REVERSED')),
  CONSTRAINT ck_referrals_self CHECK (account_id <> referrer_account_id)
) STRICT, WITHOUT ROWID
-- next
CREATE INDEX ix_referrals_referrer ON referrals (referrer_account_id)
-- next
CREATE TABLE refunds (
  account_id TEXT NOT NULL,
  refund_id TEXT NOT NULL,
  purchase_id TEXT NOT NULL,
  amount_minor INTEGER NOT NULL,
  currency TEXT NOT NULL,
  status TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  requires_settlement INTEGER NOT NULL,
  reversed INTEGER NOT NULL,
  debt INTEGER NOT NULL,
  stripe_refund_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  create_time_us INTEGER NOT NULL,
  CONSTRAINT pk_refunds PRIMARY KEY (account_id, refund_id),
  CONSTRAINT ck_refunds_status CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED', 'CANCELED')),
  CONSTRAINT ck_refunds_amount_minor CHECK (amount_minor > 0)
) STRICT, WITHOUT ROWID
-- next
CREATE INDEX ix_refunds_purchase ON refunds (account_id, purchase_id)
-- next
CREATE TABLE stripe_customers (
  stripe_customer_id TEXT NOT NULL,
  account_id TEXT NOT NULL,
  CONSTRAINT pk_stripe_customers PRIMARY KEY (stripe_customer_id)
) STRICT, WITHOUT ROWID
-- next
CREATE TABLE stripe_events (
  event_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  subject TEXT NOT NULL,
  status TEXT NOT NULL,
  payload BLOB NOT NULL,
  receive_time_us INTEGER NOT NULL,
  process_time_us INTEGER NOT NULL,
  attempt_count INTEGER NOT NULL,
  error TEXT NOT NULL,
  CONSTRAINT pk_stripe_events PRIMARY KEY (event_id),
  CONSTRAINT ck_stripe_events_status CHECK (status IN ('PROCESSED', 'IGNORED', 'QUARANTINED', 'FAILED'))
) STRICT
-- next
CREATE INDEX ix_stripe_events_receive ON stripe_events (receive_time_us, event_id)
-- next
CREATE INDEX ix_stripe_events_status ON stripe_events (status, receive_time_us, event_id)
-- next
CREATE INDEX ix_stripe_events_subject ON stripe_events (subject) WHERE subject != ''
-- next
CREATE TABLE transactions (
  account_id TEXT NOT NULL,
  transaction_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  previous_id TEXT NOT NULL,
  kind INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  balance_after INTEGER NOT NULL,
  create_time_us INTEGER NOT NULL,
  source_id TEXT NOT NULL,
  caller TEXT NOT NULL,
  description TEXT NOT NULL,
  metadata TEXT NOT NULL,
  hash BLOB NOT NULL,
  CONSTRAINT pk_transactions PRIMARY KEY (transaction_id, account_id),
  CONSTRAINT ck_transactions_version CHECK (version >= 1),
  CONSTRAINT ck_transactions_kind CHECK (kind BETWEEN 1 AND 10)
) STRICT, WITHOUT ROWID
-- next
CREATE TRIGGER transactions_no_update BEFORE UPDATE ON transactions
BEGIN
  SELECT RAISE(ABORT, 'transactions is append-only');
END
-- next
CREATE TRIGGER transactions_no_delete BEFORE DELETE ON transactions
BEGIN
  SELECT RAISE(ABORT, 'transactions is append-only');
END
-- next
CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
BEGIN
  SELECT RAISE(ABORT, 'entries is append-only');
END
-- next
CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
BEGIN
  SELECT RAISE(ABORT, 'entries is append-only');
END
-- next
CREATE TRIGGER audit_records_no_update BEFORE UPDATE ON audit_records
BEGIN
  SELECT RAISE(ABORT, 'audit_records is append-only');
END
-- next
CREATE TRIGGER audit_records_no_delete BEFORE DELETE ON audit_records
BEGIN
  SELECT RAISE(ABORT, 'audit_records is append-only');
END
-- next
-- Without statistics the planner would read all lots of an account, spent ones too, instead of the index on open ones.
ANALYZE
-- next
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('lots', 'lots', '1000000 100 1'), ('lots', 'ix_lots_open', '20000 2')
