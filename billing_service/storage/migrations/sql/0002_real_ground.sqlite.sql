CREATE TABLE deployment (
  position INTEGER NOT NULL,
  deployment_id TEXT NOT NULL,
  mark_key BLOB NOT NULL,
  mode TEXT NOT NULL,
  create_time_us INTEGER NOT NULL,
  CONSTRAINT pk_deployment PRIMARY KEY (position),
  CONSTRAINT ck_deployment_position CHECK (position = 1),
  CONSTRAINT ck_deployment_mode CHECK (mode IN ('sandbox', 'test', 'live'))
) STRICT, WITHOUT ROWID
-- next
ALTER TABLE accounts ADD COLUMN debt_max INTEGER NOT NULL DEFAULT -1 CONSTRAINT ck_accounts_debt_max CHECK (debt_max >= -1)
-- next
ALTER TABLE accounts ADD COLUMN caught_up_version INTEGER NOT NULL DEFAULT 0 CONSTRAINT ck_accounts_caught_up_version CHECK (caught_up_version >= 0)
-- next
UPDATE accounts SET caught_up_version = version
-- next
ALTER TABLE lots ADD COLUMN expired INTEGER NOT NULL DEFAULT 0 CONSTRAINT ck_lots_expired CHECK (expired >= 0)
-- next
ALTER TABLE lots ADD COLUMN ended_to TEXT NOT NULL DEFAULT ''
-- next
UPDATE lots SET expired = lost.amount FROM (
  SELECT account_id, source, sum(amount) AS amount FROM entries WHERE destination = 'expired' GROUP BY account_id, source
) AS lost WHERE lost.account_id = lots.account_id AND lost.source = lots.lot_id
-- next
ALTER TABLE profiles ADD COLUMN customer_update_time_us INTEGER NOT NULL DEFAULT 0
-- next
ALTER TABLE profiles ADD COLUMN contact_version INTEGER NOT NULL DEFAULT 0
-- next
ALTER TABLE profiles ADD COLUMN contact_version_sent INTEGER NOT NULL DEFAULT 0
-- next
ALTER TABLE purchases ADD COLUMN net_paid_minor INTEGER CONSTRAINT ck_purchases_net_paid_minor CHECK (net_paid_minor >= 0)
-- next
ALTER TABLE purchases ADD COLUMN payment_time_us INTEGER
-- next
ALTER TABLE purchases ADD COLUMN reversed_debt INTEGER NOT NULL DEFAULT 0 CONSTRAINT ck_purchases_reversed_debt CHECK (reversed_debt >= 0)
-- next
ALTER TABLE purchases ADD COLUMN reversed_expired INTEGER NOT NULL DEFAULT 0 CONSTRAINT ck_purchases_reversed_expired CHECK (reversed_expired >= 0)
-- next
ALTER TABLE purchases ADD COLUMN terms TEXT NOT NULL DEFAULT ''
-- next
CREATE INDEX ix_purchases_paid_uncompleted ON purchases (payment_time_us) WHERE payment_time_us IS NOT NULL AND complete_time_us IS NULL
-- next
ALTER TABLE referrals ADD COLUMN minimum_minor INTEGER
-- next
ALTER TABLE referrals ADD COLUMN referee_taken_purchase INTEGER NOT NULL DEFAULT 0
-- next
ALTER TABLE referrals ADD COLUMN referee_taken_debt INTEGER NOT NULL DEFAULT 0
-- next
ALTER TABLE referrals ADD COLUMN fallen_purchase_id TEXT NOT NULL DEFAULT ''
-- next
UPDATE referrals SET fallen_purchase_id = purchase_id, purchase_id = '' WHERE state = 'REVERSED'
-- next
ALTER TABLE refunds ADD COLUMN is_marked INTEGER NOT NULL DEFAULT 0 CONSTRAINT ck_refunds_is_marked CHECK (is_marked IN (0, 1))
-- next
ALTER TABLE refunds ADD COLUMN expired INTEGER NOT NULL DEFAULT 0 CONSTRAINT ck_refunds_expired CHECK (expired >= 0)
-- next
ALTER TABLE refunds ADD COLUMN bonus INTEGER NOT NULL DEFAULT 0 CONSTRAINT ck_refunds_bonus CHECK (bonus >= 0)
-- next
INSERT INTO purchase_references (reference, account_id, purchase_id) SELECT refund_id, account_id, purchase_id FROM refunds
-- next
INSERT INTO purchase_references (reference, account_id, purchase_id)
  SELECT stripe_refund_id, account_id, purchase_id FROM refunds WHERE stripe_refund_id <> '' ON CONFLICT DO NOTHING
-- next
UPDATE purchases SET reversed_debt = owed.amount FROM (
  SELECT account_id, purchase_id, max(CASE WHEN is_last THEN total END) - min(CASE WHEN total < 0 THEN total ELSE 0 END) AS amount FROM (
    SELECT account_id, purchase_id, sum(change) OVER so_far AS total,
      row_number() OVER (PARTITION BY account_id, purchase_id ORDER BY version DESC) = 1 AS is_last FROM (
        SELECT t.account_id, t.source_id AS purchase_id, t.version, sum(CASE
          WHEN t.kind = 5 AND e.source = 'debt' THEN e.amount WHEN t.kind = 6 AND e.source = 'reversed' THEN -e.amount ELSE 0 END) AS change
        FROM transactions AS t JOIN entries AS e ON e.transaction_id = t.transaction_id AND e.account_id = t.account_id
        WHERE t.kind IN (5, 6) GROUP BY t.account_id, t.source_id, t.version
      ) AS moved WINDOW so_far AS (PARTITION BY account_id, purchase_id ORDER BY version)
  ) AS running GROUP BY account_id, purchase_id
) AS owed WHERE owed.account_id = purchases.account_id AND owed.purchase_id = purchases.purchase_id
-- next
UPDATE lots SET ended_to = 'bonuses' FROM referrals
  WHERE referrals.state = 'REVERSED' AND lots.remaining = 0 AND (
    (lots.account_id = referrals.account_id AND lots.lot_id = referrals.referee_lot_id)
    OR (lots.account_id = referrals.referrer_account_id AND lots.lot_id = referrals.referrer_lot_id)
  )
