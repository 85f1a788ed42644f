CREATE TABLE deployment (
  position BIGINT NOT NULL,
  deployment_id TEXT COLLATE "C" NOT NULL,
  mark_key BYTEA NOT NULL,
  mode TEXT COLLATE "C" NOT NULL,
  create_time_us BIGINT NOT NULL,
  CONSTRAINT pk_deployment PRIMARY KEY (position),
  CONSTRAINT ck_deployment_position CHECK (position = 1),
  CONSTRAINT ck_deployment_mode CHECK (mode IN ('sandbox', 'test', 'live'))
)
-- next
ALTER TABLE accounts ADD COLUMN debt_max BIGINT NOT NULL DEFAULT -1 CONSTRAINT ck_accounts_debt_max CHECK (debt_max >= -1)
-- next
ALTER TABLE lots ADD COLUMN expired BIGINT NOT NULL DEFAULT 0 CONSTRAINT ck_lots_expired CHECK (expired >= 0)
-- next
ALTER TABLE lots ADD COLUMN ended_to TEXT COLLATE "C" NOT NULL DEFAULT ''
-- next
UPDATE lots SET expired = lost.amount FROM (
  SELECT account_id, source, sum(amount) AS amount FROM entries WHERE destination = 'expired' GROUP BY account_id, source
) AS lost WHERE lost.account_id = lots.account_id AND lost.source = lots.lot_id
-- next
ALTER TABLE profiles ADD COLUMN customer_update_time_us BIGINT NOT NULL DEFAULT 0
-- next
ALTER TABLE profiles ADD COLUMN contact_version BIGINT NOT NULL DEFAULT 0
-- next
ALTER TABLE profiles ADD COLUMN contact_version_sent BIGINT NOT NULL DEFAULT 0
-- next
ALTER TABLE purchases ADD COLUMN net_paid_minor BIGINT CONSTRAINT ck_purchases_net_paid_minor CHECK (net_paid_minor >= 0)
-- next
ALTER TABLE purchases ADD COLUMN payment_time_us BIGINT
-- next
ALTER TABLE purchases ADD COLUMN reversed_debt BIGINT NOT NULL DEFAULT 0 CONSTRAINT ck_purchases_reversed_debt CHECK (reversed_debt >= 0)
-- next
ALTER TABLE purchases ADD COLUMN reversed_expired BIGINT NOT NULL DEFAULT 0 CONSTRAINT ck_purchases_reversed_expired CHECK (reversed_expired >= 0)
-- next
ALTER TABLE purchases ADD COLUMN terms TEXT NOT NULL DEFAULT ''
-- next
CREATE INDEX ix_purchases_paid_uncompleted ON purchases (payment_time_us) WHERE payment_time_us IS NOT NULL AND complete_time_us IS NULL
-- next
ALTER TABLE referrals ADD COLUMN minimum_minor BIGINT
-- next
ALTER TABLE referrals ADD COLUMN referee_taken_purchase BIGINT NOT NULL DEFAULT 0
-- next
ALTER TABLE referrals ADD COLUMN referee_taken_debt BIGINT NOT NULL DEFAULT 0
-- next
ALTER TABLE refunds ADD COLUMN is_marked BIGINT NOT NULL DEFAULT 0 CONSTRAINT ck_refunds_is_marked CHECK (is_marked IN (0, 1))
-- next
INSERT INTO purchase_references (reference, account_id, purchase_id) SELECT refund_id, account_id, purchase_id FROM refunds
-- next
INSERT INTO purchase_references (reference, account_id, purchase_id)
  SELECT stripe_refund_id, account_id, purchase_id FROM refunds WHERE stripe_refund_id <> '' ON CONFLICT DO NOTHING
