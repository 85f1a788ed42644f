"""One Stripe customer for each account, made on its creation or its first purchase, and kept in step with it."""

import hashlib
from collections.abc import Callable
from functools import partial

import structlog

from billing_service.commands.environment import Environment
from billing_service.domain.accounts.profiles import Profile
from billing_service.domain.deployment import MarkKind
from billing_service.ledger.provider_step import Begun, provider_step
from billing_service.ledger.unit import begin
from billing_service.payments.ports.outcomes import ProviderRefused, ProviderUnavailable
from billing_service.storage.rows.profiles import PROFILES, claim_customer, read_profile, whose_customer
from billing_service.storage.statements import Work
from billing_service.storage.store import ConflictError

log = structlog.get_logger(__name__)


async def ensure_customer(environment: Environment, account_id: str) -> str:
    """The account's Stripe customer, made when there is none. Raises ProviderRefused, ProviderUnavailable."""

    async def begin_customer() -> Begun[Profile] | str:
        profile = await environment.store.read(lambda: read_profile(account_id))
        assert profile is not None, "called for an account that exists"
        if not profile.stripe_customer_id:
            return Begun(profile)
        await _send_contact(environment, profile)
        return profile.stripe_customer_id

    async def settle(profile: Profile, customer_id: str) -> str:
        return await environment.store.write(
            lambda: link_customer(environment, account_id, customer_id, profile.contact_version)
        )

    async def next_attempt(profile: Profile) -> Profile:
        await environment.store.write(lambda: _change_profile(environment, account_id, _count_attempt))
        return profile

    return await provider_step(
        begin=begin_customer,
        ask=partial(_create_customer, environment),
        settle=settle,
        give_up=_keep_as_it_is,
        next_attempt=next_attempt,
    )


async def _create_customer(environment: Environment, profile: Profile) -> str:
    mark = environment.deployment.mark(MarkKind.CUSTOMER, profile.account_id)
    return await environment.customers.create_customer(
        account_id=profile.account_id,
        email=profile.email,
        name=profile.name,
        contact_version=profile.contact_version,
        mark=mark,
        # Deployments may share a Stripe account, account ids and, after a restore, all else that is in the row: not the
        # mark.
        idempotency_key=f"customer:{profile.referral_code}:{profile.customer_attempt}:{_said(profile)}:{mark}",
    )


async def _keep_as_it_is(_profile: Profile, _refused: ProviderRefused) -> None:
    """A customer that was refused leaves nothing to undo: the account is whole without one."""


def _said(profile: Profile) -> str:
    """A digest of what Stripe is sent, which may change between two tries: no key is used for two requests."""
    said = f"{profile.email}\0{profile.name}\0{profile.contact_version}"
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


async def send_contact(environment: Environment, account_id: str) -> None:
    """Brings the account's Stripe customer in step with it, where UpdateAccount left it behind. What fails here is only
    put off: the repeat of that call, the next purchase and the customer's next event try again."""
    profile = await environment.store.read(lambda: read_profile(account_id))
    if profile is not None:
        await _send_contact(environment, profile)


async def _send_contact(environment: Environment, profile: Profile) -> None:
    customer_id, version = profile.stripe_customer_id, profile.contact_version

    async def begin_contact() -> Begun[Profile] | None:
        """UpdateAccount has recorded it: the version that Stripe has is behind."""
        return Begun(profile) if customer_id and profile.contact_version_sent < version else None

    async def ask(_profile: Profile) -> None:
        await _update_customer(environment, profile, email=profile.email, contact_version=version)

    async def settle(_profile: Profile, _said: None) -> None:
        def note(now: Profile) -> None:
            if now.stripe_customer_id == customer_id:
                now.contact_version_sent = max(now.contact_version_sent, version)

        await environment.store.write(lambda: _change_profile(environment, profile.account_id, note))

    async def give_up(_profile: Profile, refused: ProviderRefused) -> None:
        log.warning("customer_update_refused", account_id=profile.account_id, code=refused.code)
        if refused.code == "email_invalid":
            await _withdraw_address(environment, profile)

    try:
        await provider_step(begin=begin_contact, ask=ask, settle=settle, give_up=give_up)
    except ProviderUnavailable as unavailable:
        log.warning("customer_not_updated", account_id=profile.account_id, error=str(unavailable))
    except ProviderRefused:
        pass  # given up, and said so


async def _withdraw_address(environment: Environment, profile: Profile) -> None:
    """Leaves no older address at Stripe, where receipts would go to it. The version stays the older one: the customer
    is still behind."""
    try:
        await _update_customer(environment, profile, email="", contact_version=None)
    except (ProviderRefused, ProviderUnavailable) as error:
        log.warning("customer_not_updated", account_id=profile.account_id, error=str(error))


async def _update_customer(
    environment: Environment, profile: Profile, *, email: str, contact_version: int | None
) -> None:
    await environment.customers.update_customer(
        profile.stripe_customer_id,
        account_id=profile.account_id,
        email=email,
        name=profile.name,
        mark=environment.deployment.mark(MarkKind.CUSTOMER, profile.account_id),
        contact_version=contact_version,
    )


def forget_customer(environment: Environment, account_id: str, customer_id: str) -> Work[None]:
    """Unlinks a customer that is no longer at Stripe; the next one is made under another key."""

    def forget(profile: Profile) -> None:
        if profile.stripe_customer_id == customer_id:
            profile.stripe_customer_id = ""
            profile.customer_attempt += 1

    yield from _change_profile(environment, account_id, forget)


def _change_profile(environment: Environment, account_id: str, change: Callable[[Profile], None]) -> Work[None]:
    """Changes a profile under its account's lock."""
    yield from begin(environment.sources, [account_id])
    profile = yield from read_profile(account_id)
    if profile is not None:
        change(profile)
        yield from PROFILES.replace(profile)


def link_customer(environment: Environment, account_id: str, customer_id: str, contact_version: int) -> Work[str]:
    """Links a customer, made of that version of e-mail and name, to an account that has none; answers the one that it
    has then."""
    yield from begin(environment.sources, [account_id])
    profile = yield from read_profile(account_id)
    assert profile is not None
    if not profile.stripe_customer_id:
        if (
            not (yield from claim_customer(customer_id, account_id))
            and (yield from whose_customer(customer_id)) != account_id
        ):
            raise ConflictError("another account was linked to the customer meanwhile")
        profile.stripe_customer_id = customer_id
        profile.contact_version_sent = contact_version
        yield from PROFILES.replace(profile)
    return profile.stripe_customer_id


def _count_attempt(profile: Profile) -> None:
    profile.customer_attempt += 1
