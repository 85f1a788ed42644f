"""customer.*: keeps an account and its Stripe customer in step, in whatever order the events come."""

from dataclasses import replace
from typing import Final

from billing_service.commands.accounts.customers import link_customer
from billing_service.commands.environment import Environment
from billing_service.domain.accounts.profiles import Profile, kept_contact
from billing_service.ledger.unit import begin
from billing_service.payments.objects.customer import KIND, ProviderCustomer, read_customer
from billing_service.storage.rows.profiles import PROFILES, claim_customer, read_profile, whose_customer
from billing_service.storage.statements import Work
from billing_service.stripe_events import ownership
from billing_service.stripe_events.changes import changes_of_customer
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.family import Family, Occasion
from billing_service.stripe_events.ownership import Owner
from billing_service.stripe_events.result import PROCESSED, Result, ignored, quarantined
from billing_service.stripe_events.runs import Runs

CREATED: Final = "customer.created"
DELETED: Final = "customer.deleted"


def read(envelope: Envelope) -> ProviderCustomer:
    """The customer; the event of its end need not say that it is deleted."""
    customer = read_customer(envelope.object)
    customer.require("customer_id")
    return replace(customer, deleted=True) if envelope.event_type == DELETED else customer


def handle(
    environment: Environment, owner: Owner, customer: ProviderCustomer, occasion: Occasion, runs: Runs
) -> Work[Result]:
    """Links a new customer, takes over e-mail and name, and forgets one that was deleted: the next purchase makes
    another.

    The newest event decides e-mail and name, by Stripe's time, unless UpdateAccount changed them since: the customer is
    then updated again. A customer that was deleted is never linked again.
    """
    yield from begin(environment.sources, [owner.account_id])
    profile = yield from read_profile(owner.account_id)
    assert profile is not None, "an account of ours has a profile"
    before = replace(profile)
    result = yield from _follow(environment, profile, customer, occasion, runs)
    return result.about(changes_of_customer(before, profile))


def _follow(
    environment: Environment, profile: Profile, customer: ProviderCustomer, occasion: Occasion, runs: Runs
) -> Work[Result]:
    if profile.stripe_customer_id not in ("", customer.customer_id):
        return ignored("the account has another customer")
    is_known = (yield from whose_customer(customer.customer_id)) is not None
    if customer.deleted:
        return (yield from _forget(profile, customer, is_known=is_known))
    if not is_known:
        yield from link_customer(environment, profile.account_id, customer.customer_id, customer.contact_version)
        profile.stripe_customer_id = customer.customer_id
    return (yield from _take_over(profile, customer, occasion, runs))


def _forget(profile: Profile, customer: ProviderCustomer, *, is_known: bool) -> Work[Result]:
    if is_known and not profile.stripe_customer_id:
        return ignored("the customer was forgotten before")
    yield from claim_customer(customer.customer_id, profile.account_id)
    profile.stripe_customer_id = ""
    profile.customer_attempt += 1
    yield from PROFILES.replace(profile)
    return PROCESSED


def _take_over(profile: Profile, customer: ProviderCustomer, occasion: Occasion, runs: Runs) -> Work[Result]:
    """E-mail and name of the newest event. Stripe's times are whole seconds: of two events in one second Stripe is
    asked."""
    time_us, is_new = occasion.time_us, occasion.event_type == CREATED
    if time_us is None:
        return quarantined("created is no time")
    known_us = profile.customer_update_time_us
    told = kept_contact(customer.email, customer.name)
    if time_us < known_us or (time_us == known_us and is_new):
        return ignored("a newer event of the customer came before")
    if customer.contact_version < profile.contact_version:
        return (yield from _note_behind(profile, time_us, customer.contact_version))
    if time_us == known_us and told != (profile.email, profile.name):
        now = runs.customer(customer.customer_id)
        if not now.deleted and now.contact_version < profile.contact_version:
            return (yield from _note_behind(profile, time_us, now.contact_version))
        told = _settled(profile, told, now)
    if is_new:  # it may lack what was refused, or was never sent to Stripe
        told = told[0] or profile.email, told[1] or profile.name
    profile.email, profile.name = told
    profile.contact_version_sent = profile.contact_version
    profile.customer_update_time_us = time_us
    yield from PROFILES.replace(profile)
    return PROCESSED


def _note_behind(profile: Profile, time_us: int, version: int) -> Work[Result]:
    """What Stripe had of an account before it was updated undoes nothing of that. The customer may still have it, and
    is updated again."""
    profile.contact_version_sent = min(version, profile.contact_version_sent)
    profile.customer_update_time_us = time_us
    yield from PROFILES.replace(profile)
    return ignored("the account was updated after this")._replace(customer_behind=profile.account_id)


def _settled(profile: Profile, told: tuple[str, str], now: ProviderCustomer) -> tuple[str, str]:
    """As Stripe has it now. When it has nothing any more, the same of the two in either order."""
    return max(told, (profile.email, profile.name)) if now.deleted else kept_contact(now.email, now.name)


def _moves_no_money(_customer: ProviderCustomer, _occasion: Occasion) -> bool:
    return False


FAMILY: Final = Family(
    KIND, (CREATED, "customer.updated", DELETED), read, ownership.of_customer, handle, _moves_no_money
)
