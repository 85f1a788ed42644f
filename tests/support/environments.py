"""What commands are given in tests that put no whole service together: one place names all of it."""

from billing_service.commands.environment import Environment, Gathering
from tests.support.doubles import DEPLOYMENT


def environment_of(store, clock_us, ids, *, provider=None, **others):
    """An environment. `provider` does whatever is asked of Stripe; `others` are fields of Environment. What a test
    does not name is absent, so that a command that needs it fails."""
    fields = {
        "gathering": Gathering(16, 0),
        "customers": provider,
        "checkouts": provider,
        "payments": provider,
        "refunds": provider,
        "listings": provider,
        "deployment": DEPLOYMENT,
        "catalog": None,
        "terms": None,
        "referrals": None,
        "webhook_secrets": (),
        "api_key_pepper": b"",
        **others,
    }
    return Environment(store=store, clock_us=clock_us, ids=ids, **fields)
