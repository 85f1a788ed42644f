CREATE TABLE balance_snapshots (
  account_id TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  transaction_id TEXT COLLATE "C" NOT NULL,
  reached_us BIGINT NOT NULL,
  debt BIGINT NOT NULL,
  held BIGINT NOT NULL,
  lots TEXT NOT NULL,
  CONSTRAINT pk_balance_snapshots PRIMARY KEY (account_id, version),
  CONSTRAINT ck_balance_snapshots_version CHECK (version >= 1),
  CONSTRAINT ck_balance_snapshots_debt CHECK (debt >= 0),
  CONSTRAINT ck_balance_snapshots_held CHECK (held >= 0)
)
-- next
CREATE INDEX ix_balance_snapshots_reached ON balance_snapshots (account_id, reached_us, version)
-- next
CREATE TABLE taken_back_lots (
  account_id TEXT COLLATE "C" NOT NULL,
  lot_id TEXT COLLATE "C" NOT NULL,
  expire_time_us BIGINT,
  CONSTRAINT pk_taken_back_lots PRIMARY KEY (account_id, lot_id)
)
