"""CreateAccount: the account first, its Stripe customer where Stripe answers, the referral in the same transaction. A
customer that Stripe has already is looked up before, and becomes the account's in that transaction too."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from billing_service.commands.accounts.adopt_customer import adopt_customer, look_up_customer, refuse_taken
from billing_service.commands.accounts.customers import ensure_customer
from billing_service.commands.accounts.read import shown
from billing_service.commands.environment import Environment
from billing_service.commands.promotions.apply_referral import bind_referral, referral_accounts
from billing_service.domain.accounts.profiles import StoredAccount
from billing_service.domain.refusals.access import account_exists
from billing_service.ledger.keys import Answer
from billing_service.ledger.unit import Request, Unit, once
from billing_service.payments.objects.customer import ProviderCustomer
from billing_service.payments.ports.outcomes import ProviderRefused, ProviderUnavailable
from billing_service.storage.rows.profiles import PROFILES, ensure_account, read_account
from billing_service.storage.statements import Work

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CreateAccount:
    """A valid request."""

    request: Request
    account_id: str
    email: str
    check_email: Callable[[str], object]
    """Raises INVALID_FIELD. Asked only for a new account: a repeat gets its answer whatever the rule says by then."""
    name: str
    referral_code: str
    metadata: str
    stripe_customer_id: str
    """Of the customer to adopt; empty: one is made."""
    encode: Callable[[StoredAccount], bytes]


class _NotLookedUp(Exception):  # noqa: N818 - rolls back, and is no error
    """Nothing here refuses the account; Stripe has not been asked for its customer."""


async def create_account(environment: Environment, command: CreateAccount) -> Answer:
    """Raises ACCOUNT_EXISTS, REFERRAL_CODE_NOT_FOUND, SELF_REFERRAL. A Stripe that does not answer delays nothing but
    the customer, which the first purchase makes then. Where a customer is to be adopted, also raises what
    `look_up_customer` raises."""
    try:
        answer = await environment.store.write(lambda: _create(environment, command, None))
    except _NotLookedUp:
        found = await look_up_customer(environment, command.account_id, command.stripe_customer_id)
        answer = await environment.store.write(lambda: _create(environment, command, found))
    if not answer.replayed:
        try:
            await ensure_customer(environment, command.account_id)
        except (ProviderRefused, ProviderUnavailable) as error:
            log.warning("customer_not_made", account_id=command.account_id, error=str(error))
    return answer


def _create(environment: Environment, command: CreateAccount, customer: ProviderCustomer | None) -> Work[Answer]:
    account_id = command.account_id
    made = yield from ensure_account(account_id, environment.clock_us(), environment.sources.new_referral_code)
    involved = (
        yield from referral_accounts(account_id, command.referral_code) if command.referral_code else _alone(account_id)
    )

    def effect(unit: Unit) -> Work[bytes]:
        command.check_email(command.email)
        if made is None:
            raise account_exists(account_id)
        if command.stripe_customer_id and customer is None:
            yield from refuse_taken(command.stripe_customer_id)
        made.email, made.name, made.metadata = command.email, command.name, command.metadata
        if customer is not None:
            yield from adopt_customer(made, customer)
        yield from PROFILES.replace(made)
        if command.referral_code:
            yield from bind_referral(environment, unit, account_id, command.referral_code)
        if command.stripe_customer_id and customer is None:
            raise _NotLookedUp
        row = yield from read_account(account_id)
        assert row is not None
        return command.encode(shown(environment, row))

    detail: dict[str, object] = {"email": bool(command.email), "referral_code": command.referral_code}
    if command.stripe_customer_id:
        detail["stripe_customer_id"] = command.stripe_customer_id
    return (yield from once(environment.sources, command.request, involved, effect, detail=detail))


def _alone(account_id: str) -> Work[list[str]]:
    yield from ()
    return [account_id]
