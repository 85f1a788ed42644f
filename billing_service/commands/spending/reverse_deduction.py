"""ReverseDeduction: gives back what a deduction took, whole or in parts, to where it came from."""

from collections.abc import Callable
from dataclasses import dataclass

from billing_service.commands.clawbacks.purchases import make_debt_good
from billing_service.commands.environment import Environment
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.refusals.spending import transaction_not_found
from billing_service.domain.spending.limits import give_back
from billing_service.domain.spending.reversals import DeductionToReverse, Reversed, check_may_reverse, reverse_deduction
from billing_service.ledger.keys import Answer
from billing_service.ledger.settled_debt import fetch_lots_and_heirs, payments_of
from billing_service.ledger.unit import Request, Unit, once
from billing_service.storage.rows.corrections import changes_of_corrected
from billing_service.storage.rows.history import already_reversed, read_transaction, set_reversed
from billing_service.storage.rows.spend_limits import fetch_limits, limited_charge, missing_limits
from billing_service.storage.statements import Work


@dataclass(frozen=True, slots=True)
class ReverseDeduction:
    """A valid request."""

    request: Request
    account_id: str
    transaction_id: str
    amount: int | None
    reason: str
    encode: Callable[[Reversed, Balance], bytes]


async def reverse(environment: Environment, command: ReverseDeduction) -> Answer:
    """Raises ACCOUNT_NOT_FOUND, TRANSACTION_NOT_FOUND, TRANSACTION_NOT_REVERSIBLE, NOT_YOURS, REVERSAL_TOO_LATE,
    DEDUCTION_ALREADY_REVERSED."""
    caller = command.request.caller

    def effect(unit: Unit) -> Work[bytes]:
        account = unit.account(command.account_id)
        original = yield from read_transaction(command.account_id, command.transaction_id)
        if original is None:
            raise transaction_not_found(command.transaction_id)
        if not caller.is_admin:
            check_may_reverse(original, caller.name, now_us=unit.now_us, terms=environment.spending)
        before = yield from already_reversed(command.account_id, command.transaction_id)
        changes = yield from changes_of_corrected(command.account_id, command.transaction_id)
        deduction = DeductionToReverse(original, before, changes)
        yield from fetch_lots_and_heirs(account, deduction.standing().places)
        payments = yield from payments_of(account, deduction.debt_part(command.amount), original.transaction_id)
        reversal = reverse_deduction(
            account,
            deduction,
            command.amount,
            payments,
            now_us=unit.now_us,
            ids=unit.ids,
            terms=environment.spending,
            caller=caller.name,
            description=command.reason,
        )
        yield from set_reversed(command.account_id, command.transaction_id, before + reversal.amount)
        yield from _give_back_limits(unit, deduction, reversal.amount)
        yield from make_debt_good(environment, unit, command.account_id, reversal.transaction.entries)
        yield from unit.note_returns()
        return command.encode(reversal, account.show(unit.now_us))

    detail = {"transaction_id": command.transaction_id, "amount_microcredits": command.amount, "reason": command.reason}
    # Run again on conflict.
    work = lambda: once(environment.sources, command.request, [command.account_id], effect, detail=detail)  # noqa: E731
    return await environment.store.write(work)


def _give_back_limits(unit: Unit, deduction: DeductionToReverse, amount: int) -> Work[None]:
    """Takes what was undone off the limits that the charge counted at: what was charged above a hold in the window of
    its capture, the hold's own credits in that of the hold."""
    original = deduction.transaction
    account = unit.account(original.account_id)
    if not account.limits_version:
        return
    charge = yield from limited_charge(original.account_id, original.transaction_id)
    spender_ids, counted_us = (charge.spender_ids, charge.count_time_us) if charge else ((), original.create_time_us)
    missing = missing_limits(unit.accounts, [(original.account_id, spender_ids)])
    if missing:
        yield from fetch_limits(unit.accounts, missing)
    windows, now_us = unit.terms.windows, unit.now_us
    above = deduction.above_hold(amount)
    give_back(account, spender_ids, above, windows, counted_us=original.create_time_us, now_us=now_us)
    give_back(account, spender_ids, amount - above, windows, counted_us=counted_us, now_us=now_us)
