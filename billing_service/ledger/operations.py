"""What can be asked of an account through the group commit: plain values that decide on a locked account."""

from collections.abc import Callable
from dataclasses import dataclass

from billing_service.domain.ledger.account import Account, Balance, Ids
from billing_service.domain.spending.deductions import Deducted, DeductionMode, SpendingTerms, deduct
from billing_service.ledger.keys import IdempotencyKey


@dataclass(slots=True, frozen=True)
class Deduct:
    """Spends credits of one account."""

    account_id: str
    amount: int
    mode: DeductionMode
    key: IdempotencyKey
    caller: str
    description: str
    metadata: str
    encode: Callable[[Deducted, Balance], bytes]
    """Makes the reply, which is stored with the key and sent."""

    def decide(self, account: Account, now_us: int, ids: Ids, terms: SpendingTerms) -> bytes:
        """The reply. Raises Refusal and changes nothing."""
        deducted = deduct(
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
        return self.encode(deducted, account.show(now_us))
