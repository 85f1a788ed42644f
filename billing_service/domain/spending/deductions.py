"""Deductions. Their reversal is in `domain.spending.reversals`."""

from dataclasses import dataclass
from enum import IntEnum

from billing_service.domain.ledger.account import Account, Ids, Posting
from billing_service.domain.ledger.amounts import MICROCREDITS_PER_CREDIT
from billing_service.domain.ledger.entries import Draw, Place, TransactionKind
from billing_service.domain.refusals import account_frozen, insufficient_credits


class DeductionMode(IntEnum):
    """What happens when an account holds less than a deduction asks for. The numbers are the wire's."""

    REJECT = 1
    UP_TO_AVAILABLE = 2
    ALLOW_DEBT = 3


@dataclass(frozen=True, slots=True)
class SpendingTerms:
    """What holds for every account that an operator set nothing else for."""

    debt_max: int = 10_000 * MICROCREDITS_PER_CREDIT
    """Microcredits that ALLOW_DEBT may bring a debt to; 0 to AMOUNT_MAX."""
    reversal_window_us: int = 7 * 86_400 * 1_000_000
    """How long a caller that may deduct may reverse what it deducted."""
    returned_lifetime_us: int = 30 * 86_400 * 1_000_000
    """How long credits last that come back of debt which lots settled that are not known."""
    late_capture_us: int = 15 * 60 * 1_000_000
    """How long after its expiry a hold may still be captured, once, as an ordinary charge."""

    def debt_bound(self, own_debt_max: int, overdraft_limit: int) -> int:
        """Microcredits that ALLOW_DEBT may bring one account's debt to. `own_debt_max` is what an operator set for it,
        -1 for nothing. A higher overdraft limit counts instead: REJECT may go as far."""
        return max(self.debt_max if own_debt_max < 0 else own_debt_max, overdraft_limit)


STANDARD_TERMS = SpendingTerms()


@dataclass(slots=True)
class Deducted:
    """What a deduction took; 0 where UP_TO_AVAILABLE found nothing, which is a transaction all the same."""

    transaction_id: str
    amount: int
    draws: list[Draw]


def deduct(
    account: Account,
    amount: int,
    mode: DeductionMode,
    *,
    now_us: int,
    ids: Ids,
    terms: SpendingTerms = STANDARD_TERMS,
    caller: str = "",
    description: str = "",
    metadata: str = "",
) -> Deducted:
    """Spends `amount` > 0 microcredits in burn-down order. Raises Refusal and changes nothing when it can't. A
    deduction that finds nothing to take is a transaction without entries, so that its key is spent like any other."""
    if account.frozen:
        raise account_frozen()
    offered = account.spendable(now_us)
    available = offered - account.debt
    if available >= amount:
        owed = 0
    else:
        available = max(available, 0)
        owed = amount - available
        if mode is DeductionMode.UP_TO_AVAILABLE:
            amount, owed = available, 0
        else:
            still_owed = max(account.debt - offered, 0)
            allowed = mode is DeductionMode.ALLOW_DEBT
            bound = terms.debt_bound(account.debt_max, account.overdraft_limit) if allowed else account.overdraft_limit
            room = max(bound - still_owed, 0)
            if owed > room:
                debt_max = bound if allowed else None
                raise insufficient_credits(
                    available=available, required=amount, shortfall=owed - room, debt_max=debt_max
                )
    posting = Posting(account, now_us)
    if account.debt:
        posting.settle_debt()
    settled = len(posting.draws)
    taken = posting.spend(Place.USAGE, amount - owed)
    assert taken == amount - owed, "what was counted as spendable is there to be spent"
    if owed:
        posting.borrow(Place.USAGE, owed)
    transaction = posting.close(
        ids, TransactionKind.DEDUCTION, caller=caller, description=description, metadata=metadata
    )
    return Deducted(transaction.transaction_id, amount, posting.draws[settled:] if settled else posting.draws)
