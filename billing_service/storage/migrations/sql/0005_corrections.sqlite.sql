ALTER TABLE sessions ADD COLUMN price_record BLOB
