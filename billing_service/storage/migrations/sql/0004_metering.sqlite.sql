ALTER TABLE transactions ADD COLUMN chain_format INTEGER NOT NULL DEFAULT 1 CONSTRAINT ck_transactions_chain_format CHECK (chain_format >= 1)
-- next
ALTER TABLE transactions ADD COLUMN salt BLOB
-- next
ALTER TABLE transactions ADD COLUMN erased_digest BLOB
-- next
ALTER TABLE transactions ADD COLUMN price_record BLOB
-- next
ALTER TABLE api_keys ADD COLUMN account_ids TEXT NOT NULL DEFAULT ''
