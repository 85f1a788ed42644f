"""A request at Stripe's API: forms, parameters, keys, faults, and everything that is remembered."""
