"""What Stripe has objects for: customers, checkouts, payments, refunds."""
