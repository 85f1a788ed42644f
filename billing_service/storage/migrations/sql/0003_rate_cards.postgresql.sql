CREATE TABLE rate_cards (
  version TEXT COLLATE "C" NOT NULL,
  position BIGINT NOT NULL,
  effective_time_us BIGINT NOT NULL,
  in_force_time_us BIGINT NOT NULL,
  create_time_us BIGINT NOT NULL,
  source TEXT NOT NULL,
  markup_ppm BIGINT NOT NULL,
  entry_count BIGINT NOT NULL,
  card_file BYTEA NOT NULL,
  CONSTRAINT pk_rate_cards PRIMARY KEY (version),
  CONSTRAINT uq_rate_cards_position UNIQUE (position),
  CONSTRAINT ck_rate_cards_position CHECK (position > 0)
)
-- next
CREATE INDEX ix_rate_cards_in_force ON rate_cards (in_force_time_us, position, version)
-- next
CREATE TRIGGER rate_cards_append_only BEFORE UPDATE OR DELETE ON rate_cards
FOR EACH ROW EXECUTE FUNCTION refuse_change()
