ALTER TABLE purchases ADD COLUMN flags INTEGER NOT NULL DEFAULT 0
-- next
CREATE TABLE disputes (
  account_id TEXT NOT NULL,
  dispute_id TEXT NOT NULL,
  purchase_id TEXT NOT NULL,
  amount_minor INTEGER NOT NULL,
  currency TEXT NOT NULL,
  word TEXT NOT NULL,
  reason TEXT NOT NULL,
  entries TEXT NOT NULL,
  out_minor INTEGER NOT NULL,
  due_time_us INTEGER,
  told_time_us INTEGER NOT NULL,
  create_time_us INTEGER NOT NULL,
  CONSTRAINT pk_disputes PRIMARY KEY (account_id, dispute_id),
  CONSTRAINT ck_disputes_amount_minor CHECK (amount_minor >= 0),
  CONSTRAINT ck_disputes_out_minor CHECK (out_minor >= 0 AND out_minor <= amount_minor)
) STRICT, WITHOUT ROWID
-- next
CREATE INDEX ix_disputes_purchase ON disputes (account_id, purchase_id)
