"""Which accounts changed, for whoever waits for their changes in this process."""

from collections.abc import Callable, Iterable

from billing_service.domain.ledger.account import Account


class Changes:
    """An account that nobody waits for costs one look-up, and none where nobody waits for any."""

    def __init__(self) -> None:
        self.waiting: dict[str, Callable[[str], None]] = {}
        """By account. Where it is empty there is nothing to note."""

    def wait_for(self, account_id: str, changed: Callable[[str], None]) -> None:
        """Has `changed` called after each change of the account, until `forget`. It must return at once and never
        raise."""
        assert account_id not in self.waiting, "whoever waits shares it among its own"
        self.waiting[account_id] = changed

    def forget(self, account_id: str) -> None:
        del self.waiting[account_id]

    def note(self, accounts: Iterable[Account]) -> None:
        """These were committed as they are now."""
        for account in accounts:
            changed = self.waiting.get(account.account_id)
            if changed is not None:
                changed(account.account_id)
