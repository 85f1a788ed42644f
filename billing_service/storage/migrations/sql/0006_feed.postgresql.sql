ALTER TABLE outbox ADD COLUMN position BIGINT NOT NULL DEFAULT 0 CONSTRAINT ck_outbox_position CHECK (position >= 0)
-- next
CREATE INDEX ix_outbox_position ON outbox (position, account_id, account_version, event_id)
-- next
CREATE TABLE feed (
  row_number BIGINT NOT NULL,
  last_position BIGINT NOT NULL,
  forgotten_position BIGINT NOT NULL,
  CONSTRAINT pk_feed PRIMARY KEY (row_number),
  CONSTRAINT ck_feed_row_number CHECK (row_number = 1),
  CONSTRAINT ck_feed_positions CHECK (forgotten_position >= 0 AND last_position >= forgotten_position)
)
-- next
INSERT INTO feed (row_number, last_position, forgotten_position) VALUES (1, 0, 0)
