"""The stand-in for Stripe: its API, a checkout page and signed webhooks, in memory. README.md beside this file tells how to drive it."""
