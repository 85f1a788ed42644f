"""The stand-in for Stripe: its API, a checkout page and signed webhooks, in memory. Its README.md says how to drive
it."""
