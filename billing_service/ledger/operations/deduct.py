"""A deduction, as an operation of the group commit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.refusals import Refusal
from billing_service.domain.spending.deductions import Deducted, DeductionMode, Short, SpendingTerms, deduct
from billing_service.domain.spending.usage import Usage
from billing_service.ledger.keys import IdempotencyKey


@dataclass(slots=True)
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
    usage: Usage | None = None
    """What is to be priced before this is submitted; None where the caller named the amount."""
    price_record: bytes = b""
    """Of a priced usage: why it costs `amount`."""
    advise: Callable[[Short], Mapping[str, str | int]] | None = None
    """Of a priced usage: what helps an account that is short of it."""
    spender_ids: tuple[str, ...] = ()
    """Whom it charges for besides the account."""
    unpriced: Refusal | None = None
    """Of a usage without a price: why it has none. Then there is nothing to deduct."""

    def decide(self, account: Account, now_us: int, ids: Ids, terms: SpendingTerms) -> Deducted:
        """See `Operation`."""
        if self.unpriced is not None:
            raise self.unpriced
        return deduct(
            account,
            self.amount,
            self.mode,
            price_record=self.price_record,
            advise=self.advise,
            now_us=now_us,
            ids=ids,
            terms=terms,
            caller=self.caller,
            description=self.description,
            metadata=self.metadata,
            spender_ids=self.spender_ids,
        )
