ALTER TABLE purchases ADD COLUMN flags BIGINT NOT NULL DEFAULT 0
-- next
CREATE TABLE disputes (
  account_id TEXT COLLATE "C" NOT NULL,
  dispute_id TEXT COLLATE "C" NOT NULL,
  purchase_id TEXT COLLATE "C" NOT NULL,
  amount_minor BIGINT NOT NULL,
  currency TEXT COLLATE "C" NOT NULL,
  word TEXT COLLATE "C" NOT NULL,
  reason TEXT NOT NULL,
  entries TEXT NOT NULL,
  out_minor BIGINT NOT NULL,
  due_time_us BIGINT,
  told_time_us BIGINT NOT NULL,
  create_time_us BIGINT NOT NULL,
  CONSTRAINT pk_disputes PRIMARY KEY (account_id, dispute_id),
  CONSTRAINT ck_disputes_amount_minor CHECK (amount_minor >= 0),
  CONSTRAINT ck_disputes_out_minor CHECK (out_minor >= 0 AND out_minor <= amount_minor)
)
-- next
CREATE INDEX ix_disputes_purchase ON disputes (account_id, purchase_id)
