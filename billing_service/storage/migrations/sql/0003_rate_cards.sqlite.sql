CREATE TABLE rate_cards (
  version TEXT NOT NULL,
  position INTEGER NOT NULL,
  effective_time_us INTEGER NOT NULL,
  in_force_time_us INTEGER NOT NULL,
  create_time_us INTEGER NOT NULL,
  source TEXT NOT NULL,
  markup_ppm INTEGER NOT NULL,
  entry_count INTEGER NOT NULL,
  card_file BLOB NOT NULL,
  CONSTRAINT pk_rate_cards PRIMARY KEY (version),
  CONSTRAINT uq_rate_cards_position UNIQUE (position),
  CONSTRAINT ck_rate_cards_position CHECK (position > 0)
) STRICT
-- next
CREATE INDEX ix_rate_cards_in_force ON rate_cards (in_force_time_us, position, version)
-- next
CREATE TRIGGER rate_cards_no_update BEFORE UPDATE ON rate_cards
BEGIN
  SELECT RAISE(ABORT, 'rate_cards is append-only');
END
-- next
CREATE TRIGGER rate_cards_no_delete BEFORE DELETE ON rate_cards
BEGIN
  SELECT RAISE(ABORT, 'rate_cards is append-only');
END
