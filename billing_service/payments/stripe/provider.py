"""The Stripe adapter: every capability of the port over one client."""

from billing_service.payments.stripe.checkouts import StripeCheckouts
from billing_service.payments.stripe.customers import StripeCustomers
from billing_service.payments.stripe.listings import StripeListings
from billing_service.payments.stripe.payments import StripePayments
from billing_service.payments.stripe.refunds import StripeRefunds


class StripeProvider(StripeCustomers, StripeCheckouts, StripePayments, StripeRefunds, StripeListings):
    """Fits `ports.provider.PaymentProvider`."""
