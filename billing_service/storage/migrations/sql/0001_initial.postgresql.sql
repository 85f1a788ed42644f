CREATE TABLE accounts (
  account_id TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  last_transaction_id TEXT COLLATE "C" NOT NULL,
  last_hash BYTEA NOT NULL,
  balance BIGINT NOT NULL,
  debt BIGINT NOT NULL,
  set_aside BIGINT NOT NULL,
  overdraft_limit BIGINT NOT NULL,
  frozen BIGINT NOT NULL,
  create_time_us BIGINT NOT NULL,
  CONSTRAINT pk_accounts PRIMARY KEY (account_id),
  CONSTRAINT ck_accounts_version CHECK (version >= 0),
  CONSTRAINT ck_accounts_balance CHECK (balance >= -debt AND balance <= 9000000000000000),
  CONSTRAINT ck_accounts_debt CHECK (debt >= 0 AND debt <= 9000000000000000),
  CONSTRAINT ck_accounts_set_aside CHECK (set_aside >= 0),
  CONSTRAINT ck_accounts_overdraft_limit CHECK (overdraft_limit >= 0),
  CONSTRAINT ck_accounts_frozen CHECK (frozen IN (0, 1))
) WITH (fillfactor=70)
-- next
CREATE TABLE api_keys (
  key_id TEXT COLLATE "C" NOT NULL,
  caller TEXT COLLATE "C" NOT NULL,
  scopes TEXT COLLATE "C" NOT NULL,
  secret_hash BYTEA NOT NULL,
  create_time_us BIGINT NOT NULL,
  expire_time_us BIGINT,
  revoke_time_us BIGINT,
  last_use_time_us BIGINT,
  CONSTRAINT pk_api_keys PRIMARY KEY (key_id)
)
-- next
CREATE INDEX ix_api_keys_caller ON api_keys (caller)
-- next
CREATE TABLE audit_records (
  audit_id TEXT COLLATE "C" NOT NULL,
  create_time_us BIGINT NOT NULL,
  caller TEXT COLLATE "C" NOT NULL,
  peer TEXT NOT NULL,
  method TEXT COLLATE "C" NOT NULL,
  account_id TEXT COLLATE "C" NOT NULL,
  detail TEXT NOT NULL,
  CONSTRAINT pk_audit_records PRIMARY KEY (audit_id)
)
-- next
CREATE INDEX ix_audit_records_account ON audit_records (account_id, audit_id)
-- next
CREATE TABLE deduction_reversals (
  account_id TEXT COLLATE "C" NOT NULL,
  transaction_id TEXT COLLATE "C" NOT NULL,
  reversed BIGINT NOT NULL,
  CONSTRAINT pk_deduction_reversals PRIMARY KEY (account_id, transaction_id),
  CONSTRAINT ck_deduction_reversals_reversed CHECK (reversed > 0)
)
-- next
CREATE TABLE entries (
  account_id TEXT COLLATE "C" NOT NULL,
  transaction_id TEXT COLLATE "C" NOT NULL,
  position BIGINT NOT NULL,
  source TEXT COLLATE "C" NOT NULL,
  destination TEXT COLLATE "C" NOT NULL,
  amount BIGINT NOT NULL,
  CONSTRAINT pk_entries PRIMARY KEY (account_id, transaction_id, position),
  CONSTRAINT ck_entries_amount CHECK (amount > 0),
  CONSTRAINT ck_entries_places CHECK (source <> destination)
)
-- next
CREATE TABLE idempotency_keys (
  account_id TEXT COLLATE "C" NOT NULL,
  idempotency_key TEXT COLLATE "C" NOT NULL,
  scope TEXT COLLATE "C" NOT NULL,
  fingerprint BYTEA NOT NULL,
  reply BYTEA,
  resource_id TEXT COLLATE "C" NOT NULL,
  create_time_us BIGINT NOT NULL,
  CONSTRAINT pk_idempotency_keys PRIMARY KEY (account_id, idempotency_key, scope)
)
-- next
CREATE TABLE lots (
  account_id TEXT COLLATE "C" NOT NULL,
  lot_id TEXT COLLATE "C" NOT NULL,
  category BIGINT NOT NULL,
  priority BIGINT NOT NULL,
  amount BIGINT NOT NULL,
  remaining BIGINT NOT NULL,
  is_open BIGINT NOT NULL,
  create_time_us BIGINT NOT NULL,
  effective_time_us BIGINT NOT NULL,
  expire_time_us BIGINT,
  source_id TEXT COLLATE "C" NOT NULL,
  CONSTRAINT pk_lots PRIMARY KEY (account_id, lot_id),
  CONSTRAINT ck_lots_category CHECK (category IN (1, 2, 3)),
  CONSTRAINT ck_lots_priority CHECK (priority BETWEEN 0 AND 100),
  CONSTRAINT ck_lots_amount CHECK (amount > 0),
  CONSTRAINT ck_lots_remaining CHECK (remaining >= 0 AND remaining <= amount),
  CONSTRAINT ck_lots_is_open CHECK (is_open = CASE WHEN remaining > 0 THEN 1 ELSE 0 END)
) WITH (fillfactor=70)
-- next
CREATE INDEX ix_lots_expiry ON lots (expire_time_us) WHERE is_open = 1 AND expire_time_us IS NOT NULL
-- next
CREATE INDEX ix_lots_open ON lots (account_id) WHERE is_open = 1
-- next
CREATE TABLE profiles (
  account_id TEXT COLLATE "C" NOT NULL,
  email TEXT NOT NULL,
  name TEXT NOT NULL,
  referral_code TEXT COLLATE "C" NOT NULL,
  metadata TEXT NOT NULL,
  stripe_customer_id TEXT COLLATE "C" NOT NULL,
  customer_attempt BIGINT NOT NULL,
  CONSTRAINT pk_profiles PRIMARY KEY (account_id)
)
-- next
CREATE TABLE purchase_references (
  reference TEXT COLLATE "C" NOT NULL,
  account_id TEXT COLLATE "C" NOT NULL,
  purchase_id TEXT COLLATE "C" NOT NULL,
  CONSTRAINT pk_purchase_references PRIMARY KEY (reference)
)
-- next
CREATE TABLE purchases (
  account_id TEXT COLLATE "C" NOT NULL,
  purchase_id TEXT COLLATE "C" NOT NULL,
  package_code TEXT COLLATE "C" NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  credits BIGINT NOT NULL,
  amount_minor BIGINT NOT NULL,
  currency TEXT COLLATE "C" NOT NULL,
  status TEXT COLLATE "C" NOT NULL,
  attempt BIGINT NOT NULL,
  checkout_session_id TEXT COLLATE "C" NOT NULL,
  checkout_url TEXT NOT NULL,
  payment_intent_id TEXT COLLATE "C" NOT NULL,
  paid_minor BIGINT NOT NULL,
  refunded_minor BIGINT NOT NULL,
  disputed_minor BIGINT NOT NULL,
  reversed BIGINT NOT NULL,
  lot_id TEXT COLLATE "C" NOT NULL,
  success_url TEXT NOT NULL,
  cancel_url TEXT NOT NULL,
  metadata TEXT NOT NULL,
  create_time_us BIGINT NOT NULL,
  expire_time_us BIGINT NOT NULL,
  complete_time_us BIGINT,
  CONSTRAINT pk_purchases PRIMARY KEY (account_id, purchase_id),
  CONSTRAINT ck_purchases_status CHECK (status IN ('PENDING', 'AWAITING_FUNDS', 'COMPLETED', 'FAILED', 'EXPIRED', 'CANCELED')),
  CONSTRAINT ck_purchases_credits CHECK (credits > 0),
  CONSTRAINT ck_purchases_amount_minor CHECK (amount_minor > 0),
  CONSTRAINT ck_purchases_paid_minor CHECK (paid_minor >= 0),
  CONSTRAINT ck_purchases_refunded_minor CHECK (refunded_minor >= 0),
  CONSTRAINT ck_purchases_reversed CHECK (reversed >= 0 AND reversed <= credits)
)
-- next
CREATE TABLE referral_codes (
  referral_code TEXT COLLATE "C" NOT NULL,
  account_id TEXT COLLATE "C" NOT NULL,
  CONSTRAINT pk_referral_codes PRIMARY KEY (referral_code)
)
-- next
CREATE TABLE referrals (
  account_id TEXT COLLATE "C" NOT NULL,
  referrer_account_id TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  bonus BIGINT NOT NULL,
  purchase_id TEXT COLLATE "C" NOT NULL,
  referee_lot_id TEXT COLLATE "C" NOT NULL,
  referrer_lot_id TEXT COLLATE "C" NOT NULL,
  referee_taken BIGINT NOT NULL,
  referrer_taken BIGINT NOT NULL,
  create_time_us BIGINT NOT NULL,
  reward_time_us BIGINT,
  CONSTRAINT pk_referrals PRIMARY KEY (account_id),
  CONSTRAINT ck_referrals_state CHECK (state IN ('PENDING', 'QUALIFIED', 'REWARDED', 'CLOSED', 'REVERSED')),
  CONSTRAINT ck_referrals_self CHECK (account_id <> referrer_account_id)
)
-- next
CREATE INDEX ix_referrals_referrer ON referrals (referrer_account_id)
-- next
CREATE TABLE refunds (
  account_id TEXT COLLATE "C" NOT NULL,
  refund_id TEXT COLLATE "C" NOT NULL,
  purchase_id TEXT COLLATE "C" NOT NULL,
  amount_minor BIGINT NOT NULL,
  currency TEXT COLLATE "C" NOT NULL,
  status TEXT COLLATE "C" NOT NULL,
  attempt BIGINT NOT NULL,
  requires_settlement BIGINT NOT NULL,
  reversed BIGINT NOT NULL,
  debt BIGINT NOT NULL,
  stripe_refund_id TEXT COLLATE "C" NOT NULL,
  reason TEXT NOT NULL,
  create_time_us BIGINT NOT NULL,
  CONSTRAINT pk_refunds PRIMARY KEY (account_id, refund_id),
  CONSTRAINT ck_refunds_status CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED', 'CANCELED')),
  CONSTRAINT ck_refunds_amount_minor CHECK (amount_minor > 0)
)
-- next
CREATE INDEX ix_refunds_purchase ON refunds (account_id, purchase_id)
-- next
CREATE TABLE stripe_customers (
  stripe_customer_id TEXT COLLATE "C" NOT NULL,
  account_id TEXT COLLATE "C" NOT NULL,
  CONSTRAINT pk_stripe_customers PRIMARY KEY (stripe_customer_id)
)
-- next
CREATE TABLE stripe_events (
  event_id TEXT COLLATE "C" NOT NULL,
  event_type TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C" NOT NULL,
  status TEXT COLLATE "C" NOT NULL,
  payload BYTEA NOT NULL,
  receive_time_us BIGINT NOT NULL,
  process_time_us BIGINT NOT NULL,
  attempt_count BIGINT NOT NULL,
  error TEXT NOT NULL,
  CONSTRAINT pk_stripe_events PRIMARY KEY (event_id),
  CONSTRAINT ck_stripe_events_status CHECK (status IN ('PROCESSED', 'IGNORED', 'QUARANTINED', 'FAILED'))
)
-- next
CREATE INDEX ix_stripe_events_receive ON stripe_events (receive_time_us, event_id)
-- next
CREATE INDEX ix_stripe_events_status ON stripe_events (status, receive_time_us, event_id)
-- next
CREATE INDEX ix_stripe_events_subject ON stripe_events (subject) WHERE subject != ''
-- next
CREATE TABLE transactions (
  account_id TEXT COLLATE "C" NOT NULL,
  transaction_id TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  previous_id TEXT COLLATE "C" NOT NULL,
  kind BIGINT NOT NULL,
  amount BIGINT NOT NULL,
  balance_after BIGINT NOT NULL,
  create_time_us BIGINT NOT NULL,
  source_id TEXT COLLATE "C" NOT NULL,
  caller TEXT COLLATE "C" NOT NULL,
  description TEXT NOT NULL,
  metadata TEXT NOT NULL,
  hash BYTEA NOT NULL,
  CONSTRAINT pk_transactions PRIMARY KEY (account_id, transaction_id),
  CONSTRAINT ck_transactions_version CHECK (version >= 1),
  CONSTRAINT ck_transactions_kind CHECK (kind BETWEEN 1 AND 10)
)
-- next
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$
-- next
CREATE TRIGGER transactions_append_only BEFORE UPDATE OR DELETE ON transactions
FOR EACH ROW EXECUTE FUNCTION refuse_change()
-- next
CREATE TRIGGER entries_append_only BEFORE UPDATE OR DELETE ON entries
FOR EACH ROW EXECUTE FUNCTION refuse_change()
-- next
CREATE TRIGGER audit_records_append_only BEFORE UPDATE OR DELETE ON audit_records
FOR EACH ROW EXECUTE FUNCTION refuse_change()
