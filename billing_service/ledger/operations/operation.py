"""What can be asked of an account through the group commit: a value that decides on its account in memory. Each kind is
a file of this folder; writer, batch and posting know none of them."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.spending.deductions import SpendingTerms
from billing_service.ledger.keys import IdempotencyKey

Decision = TypeVar("Decision")


class Operation(Protocol[Decision]):
    """One operation on one account."""

    @property
    def account_id(self) -> str:
        """The account that it decides on, which is the account of its key."""
        ...

    @property
    def key(self) -> IdempotencyKey: ...

    @property
    def hold_id(self) -> str:
        """The hold that it decides on, which posting fetches into the account beforehand; empty for none."""
        ...

    @property
    def spender_ids(self) -> Sequence[str]:
        """Whom it charges for besides the account. Posting fetches their limits beforehand."""
        ...

    def decide(self, account: Account, now_us: int, ids: Ids, terms: SpendingTerms) -> Decision:
        """Changes the account in memory: its lots, and at least one transaction. Asks nobody. Raises Refusal, and has
        changed nothing then."""
        ...

    @property
    def encode_reply(self) -> Callable[[Decision, Balance], bytes]:
        """Makes the reply of what was decided and of the balance after it. Called inside of the transaction, since the
        bytes are stored with the key."""
        ...
