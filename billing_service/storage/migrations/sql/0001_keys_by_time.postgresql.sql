ALTER TABLE transactions
  DROP CONSTRAINT pk_transactions,
  ADD CONSTRAINT pk_transactions PRIMARY KEY (transaction_id, account_id)
-- next
ALTER TABLE entries
  DROP CONSTRAINT pk_entries,
  ADD CONSTRAINT pk_entries PRIMARY KEY (transaction_id, position, account_id)
-- next
ALTER TABLE idempotency_keys
  DROP CONSTRAINT pk_idempotency_keys,
  ADD CONSTRAINT pk_idempotency_keys PRIMARY KEY (idempotency_key, account_id, scope)
