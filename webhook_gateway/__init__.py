"""The door through which Stripe's events come in: checks the signature, forwards, and answers. It keeps nothing."""
