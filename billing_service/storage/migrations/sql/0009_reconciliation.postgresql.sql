CREATE INDEX ix_purchases_open ON purchases (purchase_id) WHERE status IN ('PENDING', 'AWAITING_FUNDS')
-- next
CREATE INDEX ix_refunds_pending ON refunds (refund_id) WHERE status = 'PENDING'
-- next
CREATE INDEX ix_disputes_open ON disputes (dispute_id) WHERE word NOT IN ('won', 'lost', 'warning_closed', 'prevented')
-- next
CREATE TABLE reconciliation (
  row_number BIGINT NOT NULL,
  since_us BIGINT NOT NULL,
  until_us BIGINT NOT NULL,
  cursor TEXT COLLATE "C" NOT NULL,
  lease_owner TEXT COLLATE "C" NOT NULL,
  lease_until_us BIGINT NOT NULL,
  CONSTRAINT pk_reconciliation PRIMARY KEY (row_number),
  CONSTRAINT ck_reconciliation_row_number CHECK (row_number = 1),
  CONSTRAINT ck_reconciliation_window CHECK (since_us >= 0 AND until_us >= since_us)
)
-- next
INSERT INTO reconciliation VALUES (1, 0, 0, '', '', 0)
