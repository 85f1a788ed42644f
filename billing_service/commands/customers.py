"""One Stripe customer for each account, made on its creation or its first purchase."""

from collections.abc import Callable

from billing_service.commands.environment import Environment
from billing_service.commands.unit import begin
from billing_service.domain.deployment import MarkKind
from billing_service.domain.records import Profile
from billing_service.domain.refusals import Reason, Refusal
from billing_service.payments.port import ProviderRefused, ProviderUnavailable
from billing_service.storage.profile_rows import CLAIM_CUSTOMER, PROFILES, read_profile, whose_customer
from billing_service.storage.statements import Work
from billing_service.storage.store import ConflictError


def stripe_refused(refused: ProviderRefused) -> Refusal:
    return Refusal(Reason.STRIPE_REFUSED, "Stripe refused the request", metadata={"stripe_code": refused.code})


async def ensure_customer(environment: Environment, account_id: str) -> str:
    """The account's Stripe customer, made when there is none. Raises ProviderRefused, ProviderUnavailable."""
    profile = await environment.store.read(lambda: read_profile(account_id))
    assert profile is not None, "called for an account that exists"
    if profile.stripe_customer_id:
        return profile.stripe_customer_id
    mark = environment.deployment.mark(MarkKind.CUSTOMER, account_id)
    try:
        customer_id = await environment.provider.create_customer(
            account_id=account_id,
            email=profile.email,
            name=profile.name,
            mark=mark,
            # Deployments may share a Stripe account, account ids and, after a restore, all else that is in the row: not the mark.
            idempotency_key=f"customer:{profile.referral_code}:{profile.customer_attempt}:{mark}",
        )
    except ProviderUnavailable as unavailable:
        if unavailable.key_spent:
            await environment.store.write(lambda: _change_profile(environment, account_id, _next_attempt))
        raise
    return await environment.store.write(lambda: link_customer(environment, account_id, customer_id))


def forget_customer(environment: Environment, account_id: str, customer_id: str) -> Work[None]:
    """Unlinks a customer that is no longer at Stripe; the next one is made under another key."""

    def forget(profile: Profile) -> None:
        if profile.stripe_customer_id == customer_id:
            profile.stripe_customer_id = ""
            profile.customer_attempt += 1

    yield from _change_profile(environment, account_id, forget)


def _change_profile(environment: Environment, account_id: str, change: Callable[[Profile], None]) -> Work[None]:
    """Changes a profile under its account's lock."""
    yield from begin(environment, [account_id])
    profile = yield from read_profile(account_id)
    if profile is not None:
        change(profile)
        yield from PROFILES.replace(profile)


def link_customer(environment: Environment, account_id: str, customer_id: str) -> Work[str]:
    """Links a customer to an account that has none; answers the one that the account has then."""
    yield from begin(environment, [account_id])
    profile = yield from read_profile(account_id)
    assert profile is not None
    if not profile.stripe_customer_id:
        if (yield CLAIM_CUSTOMER(customer_id, account_id)) == 0 and (yield from whose_customer(customer_id)) != account_id:
            raise ConflictError("another account was linked to the customer meanwhile")
        profile.stripe_customer_id = customer_id
        yield from PROFILES.replace(profile)
    return profile.stripe_customer_id


def _next_attempt(profile: Profile) -> None:
    profile.customer_attempt += 1
