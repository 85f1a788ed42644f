"""What operators do to accounts: grants, adjustments, freezing, overdraft limits. Each leaves a line in the audit
log."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from billing_service.commands.accounts.read import shown
from billing_service.commands.environment import Environment
from billing_service.domain.accounts.profiles import StoredAccount
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind
from billing_service.domain.ledger.granting import adjust, grant, new_lot
from billing_service.domain.ledger.lots import Category
from billing_service.domain.refusals import invalid_field
from billing_service.ledger.keys import Answer
from billing_service.ledger.unit import Effect, Request, Unit, once
from billing_service.storage.rows.ledger import write_limits
from billing_service.storage.rows.profiles import read_account
from billing_service.storage.statements import Work


@dataclass(frozen=True, slots=True)
class GrantCredits:
    """A valid request; times in microseconds, None where absent."""

    request: Request
    account_id: str
    amount: int
    category: Category
    expire_time_us: int | None
    effective_time_us: int | None
    priority: int
    reason: str
    encode: Callable[[Transaction, str, Balance], bytes]


async def grant_credits(environment: Environment, command: GrantCredits) -> Answer:
    """Raises BALANCE_LIMIT_REACHED, and INVALID_FIELD for an expiry that is past or before the credits become
    effective."""

    def effect(unit: Unit) -> bytes:
        starts = max(unit.now_us, command.effective_time_us or unit.now_us)
        if command.expire_time_us is not None and command.expire_time_us <= starts:
            raise invalid_field("expire_time", "must be in the future, and after effective_time")
        account = unit.account(command.account_id)
        lot = new_lot(
            command.amount,
            command.category,
            now_us=unit.now_us,
            ids=unit.ids,
            priority=command.priority,
            effective_time_us=starts,
            expire_time_us=command.expire_time_us,
        )
        transaction = grant(
            account,
            lot,
            Place.GRANTS,
            TransactionKind.GRANT,
            now_us=unit.now_us,
            ids=unit.ids,
            caller=command.request.caller.name,
            description=command.reason,
        )
        return command.encode(transaction, lot.lot_id, account.show(unit.now_us))

    detail = {"amount_microcredits": command.amount, "reason": command.reason}
    return await _run(environment, command.request, command.account_id, effect, detail, make_missing=True)


@dataclass(frozen=True, slots=True)
class AdjustCredits:
    """A valid request."""

    request: Request
    account_id: str
    amount: int
    reason: str
    encode: Callable[[Transaction, Balance], bytes]


async def adjust_credits(environment: Environment, command: AdjustCredits) -> Answer:
    """Raises ACCOUNT_NOT_FOUND, INSUFFICIENT_CREDITS, BALANCE_LIMIT_REACHED."""

    def effect(unit: Unit) -> bytes:
        account = unit.account(command.account_id)
        transaction = adjust(
            account,
            command.amount,
            now_us=unit.now_us,
            ids=unit.ids,
            caller=command.request.caller.name,
            description=command.reason,
        )
        return command.encode(transaction, account.show(unit.now_us))

    detail = {"amount_microcredits": command.amount, "reason": command.reason}
    return await _run(environment, command.request, command.account_id, effect, detail)


@dataclass(frozen=True, slots=True)
class SetLimits:
    """A valid request; None leaves a limit as it is."""

    request: Request
    account_id: str
    frozen: bool | None
    overdraft_limit: int | None
    debt_max: int | None
    """-1: as the settings say."""
    reason: str
    encode: Callable[[StoredAccount], bytes]


async def set_limits(environment: Environment, command: SetLimits) -> Answer:
    """Raises ACCOUNT_NOT_FOUND."""

    def effect(unit: Unit) -> Work[bytes]:
        account = unit.account(command.account_id)
        account.frozen = account.frozen if command.frozen is None else command.frozen
        account.overdraft_limit = (
            account.overdraft_limit if command.overdraft_limit is None else command.overdraft_limit
        )
        account.debt_max = account.debt_max if command.debt_max is None else command.debt_max
        yield from write_limits(account)
        row = yield from read_account(account.account_id)
        assert row is not None
        return command.encode(shown(environment, row))

    detail = {
        "frozen": command.frozen,
        "overdraft_limit_microcredits": command.overdraft_limit,
        "debt_max_microcredits": command.debt_max,
        "reason": command.reason,
    }
    return await _run(environment, command.request, command.account_id, effect, detail)


async def _run(
    environment: Environment,
    request: Request,
    account_id: str,
    effect: Effect,
    detail: Mapping[str, Any],
    *,
    make_missing: bool = False,
) -> Answer:
    return await environment.store.write(
        lambda: once(environment.sources, request, [account_id], effect, detail=detail, make_missing=make_missing)
    )
