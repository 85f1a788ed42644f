"""The adapter to Stripe, a file for each capability. Only this package imports the SDK's client."""
