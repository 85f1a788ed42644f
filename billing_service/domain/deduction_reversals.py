"""Deductions that are undone, whole or in part."""

from dataclasses import dataclass

from billing_service.domain.account import Account, Ids, Posting
from billing_service.domain.entries import Entry, Place, Transaction, TransactionKind
from billing_service.domain.lots import AT_ONCE_US, PRIORITY_DEFAULT, Category, Lot
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.deductions import SpendingTerms

US_PER_S = 1_000_000


def check_may_reverse(original: Transaction, caller: str, *, now_us: int, terms: SpendingTerms) -> None:
    """Whether a caller that may deduct, and is no operator, may undo this: its own deductions, for a while. Raises
    TRANSACTION_NOT_REVERSIBLE, NOT_YOURS, REVERSAL_TOO_LATE."""
    check_is_deduction(original)
    if original.caller != caller:
        raise Refusal(Reason.NOT_YOURS, "another caller made the deduction; an operator may reverse it")
    window_s = terms.reversal_window_us // US_PER_S
    if now_us - original.create_time_us > terms.reversal_window_us:
        raise Refusal(
            Reason.REVERSAL_TOO_LATE,
            f"the deduction is older than {window_s} s; an operator may reverse it",
            metadata={"reversal_window_s": window_s},
        )


def check_is_deduction(original: Transaction) -> None:
    """Raises TRANSACTION_NOT_REVERSIBLE."""
    if original.kind is not TransactionKind.DEDUCTION:
        raise Refusal(Reason.TRANSACTION_NOT_REVERSIBLE, "the transaction is not a deduction")


@dataclass(slots=True)
class DeductionToReverse:
    """A deduction as the ledger has it, and how much of it was reversed before."""

    transaction: Transaction
    already_reversed: int

    def parts(self) -> list[Entry]:
        """What went to USAGE, in the order in which it comes back: debt first, then lots, last drawn first."""
        spent = [entry for entry in self.transaction.entries if entry.destination == Place.USAGE]
        debts = [entry for entry in spent if entry.source == Place.DEBT]
        return debts + [entry for entry in reversed(spent) if entry.source != Place.DEBT]


def reverse_deduction(
    account: Account,
    deduction: DeductionToReverse,
    amount: int | None,
    *,
    now_us: int,
    ids: Ids,
    caller: str = "",
    description: str = "",
) -> Transaction:
    """Gives back `amount` microcredits of a deduction, or all that is left of it when None. The lots it drew must be among
    the account's lots. Debt that was settled since comes back as a promotional lot of its own."""
    original = deduction.transaction
    check_is_deduction(original)
    parts = deduction.parts()
    reversible = sum(part.amount for part in parts) - deduction.already_reversed
    wanted = reversible if amount is None else amount
    if wanted > reversible or reversible == 0:
        raise Refusal(
            Reason.DEDUCTION_ALREADY_REVERSED,
            f"{reversible} microcredits of the deduction are left to reverse",
            metadata={"reversible_microcredits": reversible},
        )
    posting = Posting(account, now_us)
    skip = deduction.already_reversed
    for part in parts:
        skipped = min(skip, part.amount)
        skip -= skipped
        back = min(wanted, part.amount - skipped)
        if back:
            wanted -= back
            _give_back(posting, part.source, back, ids)
    posting.settle_debt()
    return posting.close(
        ids("txn"), TransactionKind.DEDUCTION_REVERSAL, source_id=original.transaction_id, caller=caller, description=description
    )


def _give_back(posting: Posting, source: str, amount: int, ids: Ids) -> None:
    account = posting.account
    if source != Place.DEBT:
        lot = account.lot(source)
        assert lot is not None, "the unit of work fetches the lots that a deduction drew"
        posting.back_into_lot(lot, Place.USAGE, amount, ids)
        return
    repaid = min(amount, account.debt)
    if repaid:
        posting.repay(Place.USAGE, repaid)
    if amount > repaid:
        lot = Lot(
            lot_id=ids("lot"),
            category=Category.PROMOTIONAL,
            priority=PRIORITY_DEFAULT,
            amount=amount - repaid,
            remaining=0,
            create_time_us=posting.now_us,
            effective_time_us=AT_ONCE_US,
            expire_time_us=None,
        )
        posting.into_new_lot(lot, Place.USAGE)
