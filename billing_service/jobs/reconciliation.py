"""Compares with Stripe again and again, and repairs what its webhooks did not bring."""

from collections import Counter
from functools import partial
from typing import Final

import structlog

from billing_service.commands.environment import Environment
from billing_service.domain.times import US_PER_S
from billing_service.reconcile.findings import Finding, Outcome
from billing_service.reconcile.run import Reconciler, Task
from billing_service.reconcile.stages import Cursor, read_cursor
from billing_service.storage.rows.reconciling import StoredRun, keep_run, lease_run

log = structlog.get_logger(__name__)

FIRST_WINDOW_US: Final = 3 * 86_400 * US_PER_S
"""For so long Stripe tries to deliver an event. What is older and open here is asked for whatever the window."""
SETTLE_US: Final = 10 * 60 * US_PER_S
"""What is younger may be on its way."""
OVERLAP_US: Final = 3_600 * US_PER_S
"""Two clocks differ."""
LEASE_US: Final = 10 * 60 * US_PER_S
"""Longer than a step that Stripe makes wait. A process that dies is followed after this."""
LOGGED_MAX: Final = 20


class Reconciliation:
    """One run at a time, by a lease, however many processes serve. A run that was broken off goes on where it was."""

    def __init__(self, environment: Environment, reconciler: Reconciler, owner: str) -> None:
        self._environment = environment
        self._reconciler = reconciler
        self._owner = owner
        self._stopping = False
        self.findings: Counter[Outcome] = Counter({Outcome.REPAIRED: 0, Outcome.LEFT: 0})
        """By outcome, of this process."""
        self.compared = 0
        self.completed_us: int | None = None
        """When this process ended its last whole run; None before the first."""
        self.begun_us = environment.clock_us()

    def stop(self) -> None:
        """Ends the run under way after the step it is at."""
        self._stopping = True

    async def run(self) -> None:
        """Raises Failure, after which the next run goes on from the last step."""
        store, now_us = self._environment.store, self._environment.clock_us()
        stored = await store.write(lambda: lease_run(self._owner, now_us, now_us + LEASE_US))
        if stored is None:
            return
        run = stored if stored.cursor else _next_run(stored, now_us)
        cursor = read_cursor(run.cursor)
        while not cursor.is_end and not self._stopping:
            step = await self._reconciler.step(Task(run.since_us, run.until_us, dry_run=False), cursor)
            self.compared += step.compared
            for finding in step.findings:
                self._tell(finding)
            cursor = step.cursor
            run = run._replace(cursor="" if cursor.is_end else cursor.text)
            ends = cursor.is_end or self._stopping  # another process goes on at once
            lease_us = 0 if ends else self._environment.clock_us() + LEASE_US
            if not await store.write(partial(keep_run, self._owner, run, lease_us)):
                log.warning("reconciliation_lease_lost")
                return
        if cursor.is_end:
            self.completed_us = self._environment.clock_us()

    def _tell(self, finding: Finding) -> None:
        self.findings[finding.outcome] += 1
        tell = log.error if finding.outcome is Outcome.LEFT else log.warning
        tell(
            "stripe_differed",
            kind=finding.kind.name,
            outcome=finding.outcome.name,
            stripe_object_id=finding.stripe_object_id,
            account_id=finding.account_id,
            purchase_id=finding.purchase_id,
            note=finding.note,
            changed=" ".join(change.name for change in finding.changes)[:500],
            booked=finding.booked,
        )


def _next_run(last: StoredRun, now_us: int) -> StoredRun:
    until_us = max(now_us - SETTLE_US, 0)
    since_us = last.until_us - OVERLAP_US if last.until_us else until_us - FIRST_WINDOW_US
    return StoredRun(max(min(since_us, until_us), 0), until_us, Cursor().text)
