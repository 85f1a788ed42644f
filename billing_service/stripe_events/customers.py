"""customer.*: keeps an account and its Stripe customer in step."""

from billing_service.commands.customers import link_customer
from billing_service.commands.environment import Environment
from billing_service.commands.unit import begin
from billing_service.storage.profile_rows import PROFILES, read_profile, whose_customer
from billing_service.storage.statements import Work
from billing_service.stripe_events.facts import CustomerFact
from billing_service.stripe_events.verdict import PROCESSED, Verdict, ignored

EMAIL_MAX = 320
NAME_MAX = 256
"""Characters that the wire promises at most; Stripe allows more."""


def handle_customer(environment: Environment, account_id: str, fact: CustomerFact) -> Work[Verdict]:
    """Links a new customer, takes over e-mail and name, and forgets one that was deleted: the next purchase makes another."""
    if (yield from whose_customer(fact.customer_id)) is None:
        if fact.deleted:
            return ignored("no account has this customer")
        linked = yield from link_customer(environment, account_id, fact.customer_id)
        if linked != fact.customer_id:
            return ignored("the account has another customer")
    yield from begin(environment, [account_id])
    profile = yield from read_profile(account_id)
    assert profile is not None
    if profile.stripe_customer_id != fact.customer_id:
        return ignored("the account has another customer")
    if fact.deleted:
        profile.stripe_customer_id = ""
        profile.customer_attempt += 1
    else:
        profile.email = fact.email if 0 < len(fact.email) <= EMAIL_MAX else profile.email
        profile.name = fact.name[:NAME_MAX] or profile.name
    yield from PROFILES.replace(profile)
    return PROCESSED
