"""UpdateAccount: the account first, then its Stripe customer, which is updated again until it has what the account
has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from billing_service.commands.accounts.customers import send_contact
from billing_service.commands.accounts.read import shown
from billing_service.commands.environment import Environment
from billing_service.domain.accounts.profiles import Profile, StoredAccount
from billing_service.domain.spending.limits import count_decided
from billing_service.ledger.keys import Answer
from billing_service.ledger.unit import Request, Unit, once
from billing_service.storage.rows.profiles import PROFILES, read_account, read_profile
from billing_service.storage.rows.spend_limits import set_low_balance
from billing_service.storage.statements import Work


@dataclass(frozen=True, slots=True)
class UpdateAccount:
    """A valid request. None leaves a part as it is, an empty text clears it."""

    request: Request
    account_id: str
    email: str | None
    name: str | None
    metadata: str | None
    low_balance: int | None
    """Microcredits; 0 removes the threshold."""
    encode: Callable[[StoredAccount], bytes]


async def update_account(environment: Environment, command: UpdateAccount) -> Answer:
    """Raises ACCOUNT_NOT_FOUND. A Stripe that does not answer, or refuses the address, delays nothing but the
    customer."""
    answer = await environment.store.write(lambda: _update(environment, command))
    await send_contact(environment, command.account_id)
    return answer


def _update(environment: Environment, command: UpdateAccount) -> Work[Answer]:
    def effect(unit: Unit) -> Work[bytes]:
        account = unit.account(command.account_id)
        profile = yield from read_profile(command.account_id)
        assert profile is not None, "an account has a profile"
        _change(profile, command)
        yield from PROFILES.replace(profile)
        if command.low_balance is not None and command.low_balance != account.low_balance:
            count_decided(account, (), unit.terms.windows)
            yield from set_low_balance(account, command.low_balance)
        row = yield from read_account(command.account_id)
        assert row is not None
        return command.encode(shown(environment, row))

    changed = {"email": command.email, "name": command.name, "metadata": command.metadata}
    detail: dict[str, Any] = {"changed": [part for part, value in changed.items() if value is not None]}
    if command.low_balance is not None:
        detail["low_balance_microcredits"] = command.low_balance
    return (yield from once(environment.sources, command.request, [command.account_id], effect, detail=detail))


def _change(profile: Profile, command: UpdateAccount) -> None:
    contact = profile.email, profile.name
    profile.email = profile.email if command.email is None else command.email
    profile.name = profile.name if command.name is None else command.name
    profile.metadata = profile.metadata if command.metadata is None else command.metadata
    if (profile.email, profile.name) != contact:
        profile.contact_version += 1
