"""Proves all balances again and again while calls are served, and freezes an account whose balance the ledger does not
prove."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from time import monotonic

import structlog

from billing_service.commands.accounts.operate import SetLimits, set_limits
from billing_service.commands.environment import Environment
from billing_service.domain.times import US_PER_S
from billing_service.integrity.differences import Difference
from billing_service.integrity.limits_check import LIMIT_SUBJECT
from billing_service.integrity.verify import verified_accounts
from billing_service.ledger.keys import IdempotencyKey, fingerprint
from billing_service.ledger.unit import Caller, Request
from billing_service.storage.rows.ledger import read_accounts

log = structlog.get_logger(__name__)

SHARE_MAX = 0.05
"""Share of the time that verification takes while it runs: calls must not feel it. At 13 µs a transaction, as measured
on both stores, that is 14 million in the hour between two walks. The walk through a longer ledger takes longer."""
PAUSE_AFTER_S = 0.002
"""Of work: a pause for each of many small accounts would cost more than their verification."""
SUBJECTS_LOGGED_MAX = 5
ACTOR = "job:verification"
"""In the audit log. No API key can have this name."""
REASON = "the ledger does not prove this balance; see `billing verify --account`"


class Verification:
    """One walk over all accounts at a time, in short reads with pauses between them. Harmless in several processes at
    once."""

    def __init__(
        self,
        environment: Environment,
        interval_s: float,
        *,
        freeze: bool,
        pause: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self._environment = environment
        self._freeze = freeze
        self._stopping = asyncio.Event()
        self._pause = pause or self._pause_unless_stopping
        self._found: set[str] = set()
        self.interval_s = interval_s
        self.begun_us = environment.clock_us()
        self.completed_us: int | None = None
        """When the last whole walk ended; None before the first."""
        self.duration_s = 0.0
        """Of the last whole walk, pauses included."""
        self.transactions = 0
        """Followed by the last whole walk."""
        self.frozen = 0
        """Accounts that this process froze."""
        self._faulty_before: frozenset[str] = frozenset()

    @property
    def faulty_accounts(self) -> int:
        """Accounts with differences: those of the last whole walk, and those that the walk under way has found
        already."""
        return len(self._faulty_before | self._found)

    def stop(self) -> None:
        """Ends the walk under way after the read it is at; what was not reached is the next process's."""
        self._stopping.set()

    async def run(self) -> None:
        """One walk over all accounts."""
        begun_us, transactions = self._environment.clock_us(), 0
        self._found = set()
        began = monotonic()
        async for report in verified_accounts(self._environment.store, {}):
            transactions += report.transactions
            if report.differences:
                account_id = report.differences[0].account_id
                self._found.add(account_id)
                await self._tell(account_id, report.differences)
            worked_s = monotonic() - began
            if worked_s >= PAUSE_AFTER_S:
                await self._pause(worked_s * (1 / SHARE_MAX - 1))
                if self._stopping.is_set():
                    return
                began = monotonic()
        self._faulty_before, self._found = frozenset(self._found), set()
        self.completed_us = self._environment.clock_us()
        self.duration_s, self.transactions = (self.completed_us - begun_us) / US_PER_S, transactions
        log.info(
            "ledger_verified",
            transactions=transactions,
            duration_s=round(self.duration_s, 1),
            faulty=len(self._faulty_before),
        )

    async def _tell(self, account_id: str, differences: Sequence[Difference]) -> None:
        log.error(
            "ledger_fault",
            account_id=account_id,
            differences=len(differences),
            first=[
                f"{d.subject}: {d.expected} by the entries, {d.stored} stored"
                for d in differences[:SUBJECTS_LOGGED_MAX]
            ],
        )
        # A counter of a limit is no balance: whoever looks at the line sets the limit anew.
        if not self._freeze or all(each.subject.startswith(LIMIT_SUBJECT) for each in differences):
            return
        try:
            await self._freeze_once(account_id, differences)
        except Exception:  # what is broken may be what freezing needs: the walk goes on, and the next one tries again
            log.exception("account_not_frozen", account_id=account_id)

    async def _freeze_once(self, account_id: str, differences: Sequence[Difference]) -> None:
        """Freezes an account that is not frozen. What differs is the key: of several processes one has the effect, and
        an operator who lets the account go is not overruled on account of the same fault."""
        environment = self._environment
        found = await environment.store.read(lambda: read_accounts([account_id]))
        if found[account_id].frozen:
            return
        subjects = sorted({difference.subject for difference in differences})
        key = IdempotencyKey(
            account_id,
            f"fault-{sha256(repr(subjects).encode()).hexdigest()}",
            f"{ACTOR}/FreezeAccount",
            fingerprint(account_id, subjects),
        )
        request = Request(key, Caller(ACTOR, "", "FreezeAccount"))
        command = SetLimits(
            request, account_id, frozen=True, overdraft_limit=None, debt_max=None, reason=REASON, encode=lambda _: b""
        )
        if not (await set_limits(environment, command)).replayed:
            self.frozen += 1
            log.error("account_frozen", account_id=account_id)

    async def _pause_unless_stopping(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
