ALTER TABLE transactions ADD COLUMN chain_format BIGINT NOT NULL DEFAULT 1 CONSTRAINT ck_transactions_chain_format CHECK (chain_format >= 1)
-- next
ALTER TABLE transactions ADD COLUMN salt BYTEA
-- next
ALTER TABLE transactions ADD COLUMN erased_digest BYTEA
-- next
ALTER TABLE transactions ADD COLUMN price_record BYTEA
-- next
ALTER TABLE api_keys ADD COLUMN account_ids TEXT NOT NULL DEFAULT ''
