"""Stripe's events: what arrived, what it says, and what is done about it."""
