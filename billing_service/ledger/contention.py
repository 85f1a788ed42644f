"""Accounts that others change too. What is cached of them is out of date when it is used. So they are locked first for
a while: longer and longer, as long as they stay contended."""

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from billing_service.domain.ledger.account import Account

ACCOUNTS_MAX = 16_384
"""Contended accounts that are remembered; the one contended first is forgotten first."""
LOCKED_FIRST_S = 4.0
"""How long an account is locked first that was found changed once. Each use of a stale one would cost a second run. It
is longer than the time between two uses of an account by a busy process, so that the next use shows whether others go
on."""
LOCKED_FIRST_MAX_S = 64.0
"""The same, for one that was found changed again and again. Afterwards one batch finds out whether it still is."""


class _Contended(NamedTuple):
    until: float
    pause_s: float
    version: int | None
    """As this process left the account last, under a lock. None before."""


class Contention:
    """Which accounts are locked first."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._contended: dict[str, _Contended] = {}

    def __bool__(self) -> bool:
        """Whether any account may be contended."""
        return bool(self._contended)

    def locks_first(self, account_id: str) -> bool:
        contended = self._contended.get(account_id)
        return contended is not None and contended.until > self._monotonic()

    def met(self, account_ids: Iterable[str]) -> None:
        """These accounts were found changed, or locked by others."""
        for account_id in account_ids:
            self._extend(account_id, None)

    def saw(self, accounts: Iterable[Account]) -> None:
        """What accounts were found to be under their locks: whether others changed them since this process did."""
        for account in accounts if self._contended else ():
            contended = self._contended.get(account.account_id)
            if contended is None or contended.until <= self._monotonic():
                continue
            if contended.version not in (None, account.version):
                self._extend(account.account_id, account.version)
            else:
                self._contended[account.account_id] = contended._replace(version=account.version)

    def left(self, account: Account) -> bool:
        """Notes an account as this process leaves it, if it is locked first."""
        contended = self._contended.get(account.account_id)
        if contended is None or contended.until <= self._monotonic():
            return False
        self._contended[account.account_id] = contended._replace(version=account.version)
        return True

    def _extend(self, account_id: str, version: int | None) -> None:
        now = self._monotonic()
        before = self._contended.pop(account_id, None)
        # Found changed soon after the last time was over: it was contended all along.
        goes_on = before is not None and now < before.until + before.pause_s
        pause_s = min(2 * before.pause_s, LOCKED_FIRST_MAX_S) if before is not None and goes_on else LOCKED_FIRST_S
        if len(self._contended) >= ACCOUNTS_MAX:
            del self._contended[next(iter(self._contended))]
        self._contended[account_id] = _Contended(now + pause_s, pause_s, version)
