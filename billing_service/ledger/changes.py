"""Which accounts changed, for whoever waits for their changes in this process."""

from collections.abc import Callable, Iterable

from billing_service.domain.ledger.account import Account


class Changes:
    """An account that nobody waits for costs one look-up a batch."""

    def __init__(self) -> None:
        self._waiting: dict[str, Callable[[str], None]] = {}

    def wait_for(self, account_id: str, changed: Callable[[str], None]) -> None:
        """Has `changed` called after each change of the account, until `forget`. It must return at once and never
        raise."""
        assert account_id not in self._waiting, "whoever waits shares it among its own"
        self._waiting[account_id] = changed

    def forget(self, account_id: str) -> None:
        del self._waiting[account_id]

    def note(self, accounts: Iterable[Account]) -> None:
        """These were committed as they are now."""
        if self._waiting:
            for account in accounts:
                changed = self._waiting.get(account.account_id)
                if changed is not None:
                    changed(account.account_id)
