"""The port to a payment provider, and its Stripe adapter: the only place that imports the SDK's client."""
