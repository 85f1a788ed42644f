"""One reading of each of Stripe's objects, for the adapter's answers, for events and for lists: one module an object,
in every API version."""
