"""Stripe's objects, the ports to a payment provider by capability, and the adapter that fits them."""
