CREATE TABLE webhook_endpoint (
  row_number BIGINT NOT NULL,
  position BIGINT NOT NULL,
  start_time_us BIGINT NOT NULL,
  lease_owner TEXT COLLATE "C" NOT NULL,
  lease_until_us BIGINT NOT NULL,
  failures BIGINT NOT NULL,
  retry_time_us BIGINT NOT NULL,
  CONSTRAINT pk_webhook_endpoint PRIMARY KEY (row_number),
  CONSTRAINT ck_webhook_endpoint_row_number CHECK (row_number = 1),
  CONSTRAINT ck_webhook_endpoint_position CHECK (position >= 0),
  CONSTRAINT ck_webhook_endpoint_failures CHECK (failures >= 0)
)
-- next
INSERT INTO webhook_endpoint VALUES (1, 0, 0, '', 0, 0, 0)
-- next
CREATE TABLE webhook_deliveries (
  account_id TEXT COLLATE "C" NOT NULL,
  event_id TEXT COLLATE "C" NOT NULL,
  position BIGINT NOT NULL,
  state BIGINT NOT NULL,
  attempt_count BIGINT NOT NULL,
  first_time_us BIGINT NOT NULL,
  retry_time_us BIGINT NOT NULL,
  error TEXT NOT NULL,
  CONSTRAINT pk_webhook_deliveries PRIMARY KEY (account_id, event_id),
  CONSTRAINT ck_webhook_deliveries_state CHECK (state IN (1, 2)),
  CONSTRAINT ck_webhook_deliveries_attempt_count CHECK (attempt_count >= 0)
)
-- next
CREATE INDEX ix_webhook_deliveries_due ON webhook_deliveries (state, retry_time_us, position)
-- next
CREATE INDEX ix_webhook_deliveries_position ON webhook_deliveries (position)
