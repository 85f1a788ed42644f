"""A run, step by step: a page of one stage each. Between two steps nothing is open, here or at Stripe."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson
import structlog

from billing_service.commands.environment import Environment
from billing_service.commands.sales.resume_refund import resume_refund
from billing_service.domain.inbox import EventStatus
from billing_service.domain.sales.refunds import Refund
from billing_service.domain.times import US_PER_S
from billing_service.ledger.provider_step import as_refusals
from billing_service.payments.objects import checkout_session, dispute, payment_intent, refund
from billing_service.payments.objects.fields import time_us
from billing_service.payments.ports.listings import Listed as Page
from billing_service.payments.ports.outcomes import ProviderRefused
from billing_service.reconcile.findings import Change, Finding, FindingKind, Outcome
from billing_service.reconcile.pace import Pace
from billing_service.reconcile.repair import look
from billing_service.reconcile.stages import (
    EVENT_TYPES,
    OPEN_DISPUTES,
    OPEN_PURCHASES,
    PENDING_REFUNDS,
    STAGES,
    Cursor,
)
from billing_service.reconcile.standing import differing, listed
from billing_service.reconcile.told import envelope_of
from billing_service.storage.rows.reconciling import event_statuses, open_disputes, open_purchases, pending_refunds
from billing_service.stripe_events.envelope import Envelope, EnvelopeInvalid, parse_envelope
from billing_service.stripe_events.inbox import Outcome as EventOutcome
from billing_service.stripe_events.inbox import take_event
from billing_service.stripe_events.registry import BY_TYPE

log = structlog.get_logger(__name__)

OPEN_A_STEP: Final = 20
"""Purchases, refunds or disputes that one step asks for one by one."""
UNSENT_US: Final = 10 * 60 * US_PER_S
"""A call that is under way sends its refund itself."""
SKEW_US: Final = 5 * 60 * US_PER_S
"""By how much the clocks here and at Stripe may differ: what one of them has inside the window is compared."""


class Task(NamedTuple):
    """What a run is to do."""

    since_us: int
    until_us: int
    """Objects and events that were made in between, both cut to whole seconds."""
    dry_run: bool


class Step(NamedTuple):
    """What one step did."""

    stage: str
    compared: int
    """Objects and events that it looked at."""
    findings: Sequence[Finding]
    cursor: Cursor
    """Where the next step begins."""


class Reconciler:
    """Compares with Stripe. Safe in several processes at once, and beside Stripe's own deliveries."""

    def __init__(self, environment: Environment, pace: Pace) -> None:
        self._environment = environment
        self._pace = pace

    async def step(self, task: Task, cursor: Cursor) -> Step:
        """Raises Failure, after which the same step may be tried again."""
        stage = STAGES[cursor.stage]
        with as_refusals():
            if stage in EVENT_TYPES:
                compared, findings, after = await self._events(task, EVENT_TYPES[stage], cursor.after)
            elif stage in self._open_stages():
                compared, findings, after = await self._open_stages()[stage](task, cursor.after)
            else:
                page = await self._pace.ask(
                    lambda: self._environment.listings.list_created(stage, task.since_us, task.until_us, cursor.after)
                )
                findings = await self.compare(stage, page.objects, dry_run=task.dry_run)
                compared, after = len(page.objects), page.next_after
        following = Cursor(cursor.stage, after) if after else Cursor(cursor.stage + 1)
        return Step(stage, compared, findings, following)

    def _open_stages(self) -> Mapping[str, Callable[[Task, str], Awaitable[tuple[int, Sequence[Finding], str]]]]:
        return {
            OPEN_PURCHASES: self._purchases,
            PENDING_REFUNDS: self._refunds,
            OPEN_DISPUTES: self._disputes,
        }

    async def compare(self, kind: str, objects: Sequence[Mapping[str, Any]], *, dry_run: bool) -> list[Finding]:
        """What differs of objects of one kind, given newest first; repaired the oldest first, as their events would
        have come. Raises Failure."""
        environment = self._environment
        now_us = environment.clock_us() // US_PER_S * US_PER_S
        told = [
            envelope_of(kind, each, livemode=environment.terms.livemode, time_us=now_us) for each in reversed(objects)
        ]
        found = [listed(kind, envelope) for envelope in told if envelope is not None]
        if not found:
            return []
        differ = await environment.store.read(lambda: differing(found))
        looks = [await look(environment, each, dry_run=dry_run) for each in differ]
        return [each.finding for each in looks if each.finding is not None]

    async def _purchases(self, task: Task, after: str) -> tuple[int, Sequence[Finding], str]:
        page = await self._environment.store.read(lambda: open_purchases(after, task.since_us + SKEW_US, OPEN_A_STEP))
        findings: list[Finding] = []
        for purchase in page:
            if purchase.checkout_session_id:
                findings += await self._one(checkout_session.KIND, purchase.checkout_session_id, task)
            elif purchase.payment_intent_id:
                findings += await self._one(payment_intent.KIND, purchase.payment_intent_id, task)
        return len(page), findings, page[-1].purchase_id if len(page) == OPEN_A_STEP else ""

    async def _disputes(self, task: Task, after: str) -> tuple[int, Sequence[Finding], str]:
        page = await self._environment.store.read(lambda: open_disputes(after, task.until_us, OPEN_A_STEP))
        findings: list[Finding] = []
        for each in page:
            findings += await self._one(dispute.KIND, each.dispute_id, task)
        return len(page), findings, page[-1].dispute_id if len(page) == OPEN_A_STEP else ""

    async def _refunds(self, task: Task, after: str) -> tuple[int, Sequence[Finding], str]:
        """Refunds that were never sent, and those of which Stripe has not said how they end."""
        until_us = self._environment.clock_us()
        page = await self._environment.store.read(lambda: pending_refunds(after, until_us, OPEN_A_STEP))
        findings: list[Finding] = []
        for each in page:
            if each.is_unsent:
                findings += await self.send(each, dry_run=task.dry_run)
            else:
                findings += await self._one(refund.KIND, each.stripe_refund_id, task)
        return len(page), findings, page[-1].refund_id if len(page) == OPEN_A_STEP else ""

    async def _one(self, kind: str, object_id: str, task: Task) -> list[Finding]:
        try:
            about = await self._pace.ask(lambda: self._environment.listings.get_object(kind, object_id))
        except ProviderRefused as refused:
            return [Finding(FindingKind.CONTRADICTION, Outcome.LEFT, object_id, note=f"Stripe: {refused.code}")]
        made_us = time_us(about.get("created"))
        if made_us is not None and task.since_us // US_PER_S <= made_us // US_PER_S < task.until_us // US_PER_S:
            return []  # the list of its kind had it
        return await self.compare(kind, [about], dry_run=task.dry_run)

    async def send(self, seen: Refund, *, dry_run: bool) -> list[Finding]:
        """Sends a refund of which Stripe has said nothing, unless its own call may be under way. Raises Failure."""
        if seen.create_time_us >= self._environment.clock_us() - UNSENT_US:
            return []
        found = Finding(FindingKind.REFUND_NOT_SENT, Outcome.FOUND, seen.refund_id, seen.account_id, seen.purchase_id)
        if dry_run:
            return [found]
        try:
            sent = await self._pace.ask(lambda: resume_refund(self._environment, seen))
        except ProviderRefused as refused:
            return [found._replace(outcome=Outcome.REPAIRED, note=f"Stripe refused it: {refused.code}")]
        change = Change(f"refund {sent.stripe_refund_id}.status", seen.status, sent.status)
        return [found._replace(outcome=Outcome.REPAIRED, changes=(change,))]

    async def _events(self, task: Task, types: Sequence[str], after: str) -> tuple[int, Sequence[Finding], str]:
        environment = self._environment
        page: Page = await self._pace.ask(
            lambda: environment.listings.list_undelivered_events(types, task.since_us, task.until_us, after)
        )
        ids = [str(event.get("id", "")) for event in page.objects]
        known = await environment.store.read(lambda: event_statuses(ids)) if ids else {}
        missing = [
            event
            for event in reversed(page.objects)
            if known.get(str(event.get("id", "")), EventStatus.FAILED) == EventStatus.FAILED
        ]
        findings = [await self._take(event, dry_run=task.dry_run) for event in missing]
        return len(page.objects), [each for each in findings if each is not None], page.next_after

    async def _take(self, event: Mapping[str, Any], *, dry_run: bool) -> Finding | None:
        """Keeps an event that never arrived, and has it processed as if it had. Stripe's own delivery of it, if one
        comes yet, finds it done."""
        payload = orjson.dumps(event)
        try:
            envelope = parse_envelope(payload)
        except EnvelopeInvalid as fault:
            event_id = str(event.get("id", ""))
            return Finding(FindingKind.EVENT_MISSING, Outcome.LEFT, event_id, note=str(fault))
        if dry_run:
            return await self._missing(envelope)
        processed = await take_event(self._environment, envelope, payload)
        if processed.outcome in (EventOutcome.DUPLICATE, EventOutcome.IGNORED):
            return None
        did = processed.did
        return Finding(
            FindingKind.EVENT_MISSING,
            Outcome.LEFT if processed.outcome is EventOutcome.QUARANTINED else Outcome.REPAIRED,
            envelope.event_id,
            str(did.get("account_id", "")),
            str(did.get("purchase_id", "")),
            str(did.get("note", "") or envelope.event_type),
            booked=str(did.get("booked", "")),
        )

    async def _missing(self, envelope: Envelope) -> Finding | None:
        family = BY_TYPE.get(envelope.event_type)
        if family is None:
            return None
        seen = await look(self._environment, listed(family.kind, envelope), dry_run=True)
        if seen.status is EventStatus.IGNORED:
            return None
        found = Finding(FindingKind.EVENT_MISSING, Outcome.FOUND, envelope.event_id, note=envelope.event_type)
        return (
            found
            if seen.finding is None
            else seen.finding._replace(
                kind=found.kind, outcome=found.outcome, stripe_object_id=found.stripe_object_id, note=found.note
            )
        )
