CREATE TABLE balance_snapshots (
  account_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  transaction_id TEXT NOT NULL,
  reached_us INTEGER NOT NULL,
  debt INTEGER NOT NULL,
  held INTEGER NOT NULL,
  lots TEXT NOT NULL,
  CONSTRAINT pk_balance_snapshots PRIMARY KEY (account_id, version),
  CONSTRAINT ck_balance_snapshots_version CHECK (version >= 1),
  CONSTRAINT ck_balance_snapshots_debt CHECK (debt >= 0),
  CONSTRAINT ck_balance_snapshots_held CHECK (held >= 0)
) STRICT, WITHOUT ROWID
-- next
CREATE INDEX ix_balance_snapshots_reached ON balance_snapshots (account_id, reached_us, version)
-- next
CREATE TABLE taken_back_lots (
  account_id TEXT NOT NULL,
  lot_id TEXT NOT NULL,
  expire_time_us INTEGER,
  CONSTRAINT pk_taken_back_lots PRIMARY KEY (account_id, lot_id)
) STRICT, WITHOUT ROWID
