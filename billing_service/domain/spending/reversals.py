"""Deductions that are undone, whole or in part. Reversible is what was charged, more or less what corrections
changed, less what was reversed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.ended_lots import back_into_lot
from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind, lot_held
from billing_service.domain.ledger.posting import Posting
from billing_service.domain.ledger.settled_debt import Payment, give_back_debt, lot_of_unknown
from billing_service.domain.refusals.spending import (
    deduction_already_reversed,
    not_yours,
    reversal_too_late,
    transaction_not_reversible,
)
from billing_service.domain.spending.deductions import STANDARD_TERMS, SpendingTerms
from billing_service.domain.spending.standing import StandingCharge
from billing_service.domain.times import US_PER_S


def check_may_reverse(original: Transaction, caller: str, *, now_us: int, terms: SpendingTerms) -> None:
    """Whether a caller that may deduct, and is no operator, may undo this: its own deductions, for a while. Raises
    TRANSACTION_NOT_REVERSIBLE, NOT_YOURS, REVERSAL_TOO_LATE."""
    check_is_deduction(original)
    if original.caller != caller:
        raise not_yours()
    window_s = terms.reversal_window_us // US_PER_S
    if now_us - original.create_time_us > terms.reversal_window_us:
        raise reversal_too_late(window_s)


def check_is_deduction(original: Transaction) -> None:
    """Raises TRANSACTION_NOT_REVERSIBLE."""
    if original.kind is not TransactionKind.DEDUCTION:
        raise transaction_not_reversible()


@dataclass(slots=True)
class DeductionToReverse:
    """A deduction as the ledger has it, and what was done to it since."""

    transaction: Transaction
    already_reversed: int
    changes: Sequence[Transaction] = ()
    """Of one that was corrected, all its reversals and corrections with their entries, in the order of their
    versions."""

    def standing(self) -> StandingCharge:
        """What is left of it."""
        return StandingCharge(self.transaction, self.already_reversed, self.changes)

    def wanted(self, amount: int | None) -> int:
        """Microcredits to give back, `amount` or all that is left. Raises TRANSACTION_NOT_REVERSIBLE,
        DEDUCTION_ALREADY_REVERSED."""
        check_is_deduction(self.transaction)
        reversible = self.standing().net
        wanted = reversible if amount is None else amount
        if wanted > reversible or reversible == 0:
            raise deduction_already_reversed(reversible)
        return wanted

    def debt_part(self, amount: int | None) -> int:
        """How much of what comes back had become debt. Raises what `wanted` raises."""
        return min(self.wanted(amount), self.standing().debt)

    def above_hold(self, amount: int) -> int:
        """How much of `amount`, which comes back next, was charged besides what a hold had reserved. Of a plain
        deduction that is all of it; of a capture it comes back first."""
        entries = self.transaction.entries
        above = sum(e.amount for e in entries if e.destination == Place.USAGE and not lot_held(e.source))
        return min(amount, max(above - self.already_reversed, 0))


class Reversed(NamedTuple):
    """What a reversal did."""

    transaction: Transaction
    amount: int
    """Microcredits of the deduction that were undone. The account's balance grew by less where a lot had been taken
    back meanwhile."""


def reverse_deduction(
    account: Account,
    deduction: DeductionToReverse,
    amount: int | None,
    payments: Sequence[Payment] = (),
    *,
    now_us: int,
    ids: Ids,
    terms: SpendingTerms = STANDARD_TERMS,
    caller: str = "",
    description: str = "",
) -> Reversed:
    """Gives back `amount` microcredits of a deduction, or all that is left of it when None. The lots it drew must be
    among the account's lots, and those that paid its debt since, of which `payments` tells."""
    original, wanted = deduction.transaction, deduction.wanted(amount)
    posting = Posting(account, now_us)
    for place, part in deduction.standing().undo(wanted):
        if place == Place.DEBT:
            give_back_debt_of(posting, part, payments, terms, ids)
        else:
            back_into_lot(posting, account.known_lot(place), Place.USAGE, part, ids)
    posting.settle_debt()
    transaction = posting.close(
        ids,
        TransactionKind.DEDUCTION_REVERSAL,
        source_id=original.transaction_id,
        caller=caller,
        description=description,
    )
    return Reversed(transaction, wanted)


def give_back_debt_of(
    posting: Posting, amount: int, payments: Sequence[Payment], terms: SpendingTerms, ids: Ids
) -> None:
    """Gives back `amount` of a charge that once became debt."""

    def unknown(left: int) -> None:
        posting.into_new_lot(
            lot_of_unknown(posting, left, payments, lifetime_us=terms.returned_lifetime_us, ids=ids), Place.USAGE
        )

    give_back_debt(posting, Place.USAGE, amount, payments, unknown, ids=ids)
