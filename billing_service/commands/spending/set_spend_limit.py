"""SetSpendLimit: sets, changes or removes one limit. It is no transaction of the ledger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from billing_service.commands.environment import Environment
from billing_service.domain.ledger.events import EventKind
from billing_service.domain.ledger.spend_limits import SpendLimit
from billing_service.domain.refusals.spending import too_many_spend_limits
from billing_service.domain.spending.limits import LIMITS_MAX, Standing, standing
from billing_service.domain.spending.windows import SpendWindow
from billing_service.ledger.keys import Answer
from billing_service.ledger.unit import Request, Unit, once
from billing_service.storage.rows.spend_limits import fetch_limits, limit_total, set_limit
from billing_service.storage.statements import Work


@dataclass(frozen=True, slots=True)
class SetSpendLimit:
    """A valid request."""

    request: Request
    account_id: str
    spender_id: str
    window: SpendWindow
    amount_max: int | None
    """Microcredits; None removes the limit."""
    encode: Callable[[Sequence[Standing]], bytes]


async def set_spend_limit(environment: Environment, command: SetSpendLimit) -> Answer:
    """Raises ACCOUNT_NOT_FOUND, TOO_MANY_SPEND_LIMITS."""
    account_id, spender_id, windows = command.account_id, command.spender_id, environment.spending.windows

    def effect(unit: Unit) -> Work[bytes]:
        account = unit.account(account_id)
        if spender_id not in account.limits:
            yield from fetch_limits(unit.accounts, {(account_id, spender_id)})
        limits = account.limits[spender_id]
        limit = next((each for each in limits if each.window == command.window), None)
        if limit is None and command.amount_max is not None:
            if (yield from limit_total(account_id)) >= LIMITS_MAX:
                raise too_many_spend_limits(LIMITS_MAX)
            start_us = windows.edges(command.window, unit.now_us).start_us
            limit = SpendLimit(spender_id, int(command.window), command.amount_max, 0, start_us, unit.now_us)
            yield from set_limit(account, limit, command.amount_max, is_new=True)
            limits = sorted([*limits, limit], key=lambda each: each.window)
        elif limit is not None:
            yield from set_limit(account, limit, command.amount_max, is_new=False)
            limit.amount_max = limit.amount_max if command.amount_max is None else command.amount_max
            limits = [each for each in limits if each is not limit or command.amount_max is not None]
        if limit is not None:
            unit.tell(account_id, EventKind.SPEND_LIMIT_CHANGED, spender_id, _detail(command))
        return command.encode([standing(each, windows, unit.now_us) for each in limits])

    detail = {"spender_id": spender_id, **_detail(command)}
    return await environment.store.write(
        lambda: once(environment.sources, command.request, [account_id], effect, detail=detail)
    )


def _detail(command: SetSpendLimit) -> dict[str, str | int]:
    set_to = {} if command.amount_max is None else {"limit_microcredits": command.amount_max}
    return {"window": command.window.name, **set_to}
