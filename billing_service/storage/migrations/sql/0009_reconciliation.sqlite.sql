CREATE INDEX ix_purchases_open ON purchases (purchase_id) WHERE status IN ('PENDING', 'AWAITING_FUNDS')
-- next
CREATE INDEX ix_refunds_pending ON refunds (refund_id) WHERE status = 'PENDING'
-- next
CREATE INDEX ix_disputes_open ON disputes (dispute_id) WHERE word NOT IN ('won', 'lost', 'warning_closed', 'prevented')
-- next
CREATE TABLE reconciliation (
  row_number INTEGER NOT NULL,
  since_us INTEGER NOT NULL,
  until_us INTEGER NOT NULL,
  cursor TEXT NOT NULL,
  lease_owner TEXT NOT NULL,
  lease_until_us INTEGER NOT NULL,
  CONSTRAINT pk_reconciliation PRIMARY KEY (row_number),
  CONSTRAINT ck_reconciliation_row_number CHECK (row_number = 1),
  CONSTRAINT ck_reconciliation_window CHECK (since_us >= 0 AND until_us >= since_us)
) STRICT, WITHOUT ROWID
-- next
INSERT INTO reconciliation VALUES (1, 0, 0, '', '', 0)
