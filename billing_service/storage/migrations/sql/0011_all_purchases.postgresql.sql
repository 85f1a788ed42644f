CREATE INDEX ix_purchases_created ON purchases (create_time_us, purchase_id)
