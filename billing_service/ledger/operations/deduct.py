"""A deduction, as an operation of the group commit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.spending.deductions import Deducted, DeductionMode, SpendingTerms, deduct
from billing_service.ledger.keys import IdempotencyKey


@dataclass(slots=True, frozen=True)
class Deduct:
    """Spends credits of one account."""

    hold_id: ClassVar[str] = ""
    account_id: str
    amount: int
    mode: DeductionMode
    key: IdempotencyKey
    caller: str
    description: str
    metadata: str
    encode_reply: Callable[[Deducted, Balance], bytes]

    def decide(self, account: Account, now_us: int, ids: Ids, terms: SpendingTerms) -> Deducted:
        """See `Operation`."""
        return deduct(
            account,
            self.amount,
            self.mode,
            now_us=now_us,
            ids=ids,
            terms=terms,
            caller=self.caller,
            description=self.description,
            metadata=self.metadata,
        )
