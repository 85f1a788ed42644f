CREATE TABLE webhook_endpoint (
  row_number INTEGER NOT NULL,
  position INTEGER NOT NULL,
  start_time_us INTEGER NOT NULL,
  lease_owner TEXT NOT NULL,
  lease_until_us INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  retry_time_us INTEGER NOT NULL,
  CONSTRAINT pk_webhook_endpoint PRIMARY KEY (row_number),
  CONSTRAINT ck_webhook_endpoint_row_number CHECK (row_number = 1),
  CONSTRAINT ck_webhook_endpoint_position CHECK (position >= 0),
  CONSTRAINT ck_webhook_endpoint_failures CHECK (failures >= 0)
) STRICT, WITHOUT ROWID
-- next
INSERT INTO webhook_endpoint VALUES (1, 0, 0, '', 0, 0, 0)
-- next
CREATE TABLE webhook_deliveries (
  account_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  state INTEGER NOT NULL,
  attempt_count INTEGER NOT NULL,
  first_time_us INTEGER NOT NULL,
  retry_time_us INTEGER NOT NULL,
  error TEXT NOT NULL,
  CONSTRAINT pk_webhook_deliveries PRIMARY KEY (account_id, event_id),
  CONSTRAINT ck_webhook_deliveries_state CHECK (state IN (1, 2)),
  CONSTRAINT ck_webhook_deliveries_attempt_count CHECK (attempt_count >= 0)
) STRICT, WITHOUT ROWID
-- next
CREATE INDEX ix_webhook_deliveries_due ON webhook_deliveries (state, retry_time_us, position)
-- next
CREATE INDEX ix_webhook_deliveries_position ON webhook_deliveries (position)
