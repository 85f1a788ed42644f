"""ReRate with its effect: charges of a past window are brought to what they cost by another version of the rate card.
Each account has a transaction of the database of its own, which keeps the call's key, and its part of the answer."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from billing_service.commands.clawbacks.purchases import make_debt_good
from billing_service.commands.environment import Environment
from billing_service.commands.spending.rerate_usage import PricedAgain, Window, price_part
from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.entries import Entry
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.corrections import Corrected, CorrectionTerms, correct
from billing_service.domain.spending.price_records import PricedUsage, encode_price
from billing_service.domain.spending.pricing import Price
from billing_service.domain.spending.rerating import ChargedUsage, Rerated, standing_of_changed, target_of
from billing_service.domain.spending.standing import StandingCharge
from billing_service.ledger.keys import Answer
from billing_service.ledger.settled_debt import fetch_lots_and_heirs, payments_of
from billing_service.ledger.unit import Request, Unit, earlier_answer, once
from billing_service.storage.rows.corrections import CorrectionRow, add_corrections, changed_deductions
from billing_service.storage.statements import Work

ACCOUNT_S_OWN: Final = frozenset({Reason.BALANCE_LIMIT_REACHED})
"""Why one account can't be corrected while all others can."""


@dataclass(frozen=True, slots=True)
class CorrectCharges:
    """A valid request."""

    request: Request
    """Of the whole part: its key belongs to no account."""
    request_of_account: Callable[[str], Request]
    window: Window
    after: str
    usages: int
    reason: str
    encode_account: Callable[[Rerated], bytes]
    encode: Callable[["CorrectedPart"], bytes]


class CorrectedPart(NamedTuple):
    """What a part came to."""

    accounts: Sequence[bytes]
    """The answer for each account that was corrected, in order of their ids."""
    refused: Sequence[tuple[str, Refusal]]
    """Accounts that could not be corrected, and why."""
    next_after: str
    reached_us: int


async def correct_part(environment: Environment, command: CorrectCharges) -> Answer:
    """Corrects what was charged after the transaction `after`. Raises RATE_CARD_NOT_FOUND, IDEMPOTENCY_KEY_REUSED."""
    earlier = await environment.store.read(lambda: earlier_answer(command.request.key))
    if earlier is not None:
        return earlier
    found = await price_part(environment, command.window, command.after, command.usages)
    by_account: dict[str, list[PricedAgain]] = defaultdict(list)
    for each in found.usages:
        by_account[each.usage.account_id].append(each)
    accounts, refused = [], []
    for account_id in sorted(by_account):
        try:
            accounts.append((await correct_account(environment, command, account_id, by_account[account_id])).reply)
        except Refusal as refusal:
            if refusal.reason not in ACCOUNT_S_OWN:
                raise
            refused.append((account_id, refusal))
    reply = command.encode(CorrectedPart(accounts, refused, found.next_after, found.reached_us))
    detail = _detail(command)
    return await environment.store.write(
        lambda: once(environment.sources, command.request, (), lambda _: reply, detail=detail)
    )


def _detail(command: CorrectCharges) -> dict[str, object]:
    window = command.window
    return {
        "from_rate_card_version": window.from_version,
        "to_rate_card_version": window.to_version,
        "start_time_us": window.start_us,
        "end_time_us": window.end_us,
        "reason": command.reason,
    }


async def correct_account(
    environment: Environment, command: CorrectCharges, account_id: str, usages: Sequence[PricedAgain]
) -> Answer:
    """Corrects charges of one account, in one transaction of the database. Raises BALANCE_LIMIT_REACHED,
    IDEMPOTENCY_KEY_REUSED."""
    request = command.request_of_account(account_id)
    of = CorrectionTerms(request.caller.name, command.reason, environment.spending)

    def effect(unit: Unit) -> Work[bytes]:
        account, version = unit.account(account_id), command.window.to_version
        changed = yield from changed_deductions(account_id, [each.usage.transaction_id for each in usages])
        charges, rerated = changed.standing, Rerated()
        decided: list[CorrectionRow] = []
        entries: list[Entry] = []
        for usage, found in usages:
            deduction_id, charge = usage.transaction_id, charges[usage.transaction_id]
            standing = standing_of_changed(
                charge, usage.standing.amount, decided=(deduction_id, version) in changed.decided
            )
            now = usage._replace(standing=standing)
            done = Corrected(None, 0, 0)
            if isinstance(found, Price) and not standing.decided:
                done = yield from _correct(unit, account, charge, now, found, of)
                moved_by = done.transaction
                decided.append(
                    CorrectionRow(
                        *(account_id, deduction_id, version, done.moved),
                        moved_by.transaction_id if moved_by else "",
                    )
                )
                entries += moved_by.entries if moved_by else ()
            rerated.add(now, found, done.moved, done.shortfall)
        yield from add_corrections(decided)
        yield from make_debt_good(environment, unit, account_id, entries)
        yield from unit.note_returns()
        unit.detail |= {"corrected": sum(1 for row in decided if row.correction_id)}
        return command.encode_account(rerated)

    return await environment.store.write(
        lambda: once(environment.sources, request, [account_id], effect, detail=_detail(command))
    )


def _correct(  # noqa: PLR0917 - all of one correction
    unit: Unit, account: Account, charge: StandingCharge, usage: ChargedUsage, found: Price, of: CorrectionTerms
) -> Work[Corrected]:
    target = target_of(usage.standing, usage.own_price(found))
    yield from fetch_lots_and_heirs(account, charge.places)
    back_of_debt = min(max(charge.net - target, 0), charge.debt)
    payments = yield from payments_of(account, back_of_debt, usage.transaction_id)
    return correct(
        account,
        charge,
        target,
        payments,
        of,
        deduction_id=usage.transaction_id,
        price_record=encode_price(PricedUsage(usage.priced.usage, found)),
        now_us=unit.now_us,
        ids=unit.ids,
    )
