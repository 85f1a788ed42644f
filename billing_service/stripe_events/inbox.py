"""The inbox: an event and its effect are kept in one transaction, or neither is."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import NamedTuple

import structlog
from billing_client.stripe_signature import SignatureInvalid, verify

from billing_service.commands.accounts.customers import send_contact
from billing_service.commands.counters import FAILED
from billing_service.commands.environment import Environment
from billing_service.domain.inbox import EventStatus, InboxEvent
from billing_service.domain.refusals import Refusal, Refused, invalid_field
from billing_service.domain.refusals.access import signature_invalid, stripe_event_not_found
from billing_service.domain.times import US_PER_S
from billing_service.ledger.keys import Answer
from billing_service.ledger.unit import Request, Unit, earlier_answer, once
from billing_service.storage.rows.events import (
    claim_event,
    close_event,
    keep_event,
    read_event,
)
from billing_service.storage.statements import Work
from billing_service.stripe_events.effect import effect_of, read_object
from billing_service.stripe_events.envelope import Envelope, EnvelopeInvalid, parse_envelope
from billing_service.stripe_events.ownership import read_claim
from billing_service.stripe_events.registry import BY_TYPE
from billing_service.stripe_events.result import NOTHING, Did, Result, quarantined
from billing_service.stripe_events.runs import Runs

log = structlog.get_logger(__name__)

TOLERANCE_S = 300
OTHER_TYPES = "other"


class Outcome(StrEnum):
    """The answer to a delivery; the wire's names without their prefix."""

    PROCESSED = "PROCESSED"
    DUPLICATE = "DUPLICATE"
    IGNORED = "IGNORED"
    QUARANTINED = "QUARANTINED"


class Processed(NamedTuple):
    """Answer to a delivery."""

    event_id: str
    event_type: str
    outcome: Outcome
    did: Did
    """What was done, for the log; nothing for a duplicate."""


async def process_event(environment: Environment, payload: bytes, signature: str) -> Processed:
    """Processes a delivery. Raises SIGNATURE_INVALID, INVALID_FIELD for bytes that are no event, or a Failure, after
    which the event is kept as FAILED where the database allows, and a repeat tries again."""
    try:
        verify(payload, signature, environment.webhook_secrets, environment.clock_us() // US_PER_S, TOLERANCE_S)
    except SignatureInvalid as error:
        raise signature_invalid() from error
    try:
        envelope = parse_envelope(payload)
    except EnvelopeInvalid as error:
        raise invalid_field("payload", f"is no event: {error}") from error
    return await _process(environment, envelope, payload, again=False)


async def take_event(environment: Environment, envelope: Envelope, payload: bytes) -> Processed:
    """Processes an event that Stripe was asked for: what it says of itself needs no signature. Raises Failure."""
    return await _process(environment, envelope, payload, again=False)


@dataclass(frozen=True, slots=True)
class ReplayEvent:
    """A valid request. Its key belongs to no account."""

    request: Request
    event_id: str
    encode: Callable[[InboxEvent, Outcome], bytes]
    tell: Callable[[Did], None]
    """Gets what was done, for the log."""


async def replay_event(environment: Environment, command: ReplayEvent) -> Answer:
    """Processes a kept event again, by hand. What had its effect has no second one. Raises STRIPE_EVENT_NOT_FOUND."""
    event_id, request = command.event_id, command.request

    def look() -> Work[Answer | InboxEvent | None]:
        return (yield from earlier_answer(request.key)) or (yield from read_event(event_id))

    kept = await environment.store.read(look)
    if isinstance(kept, Answer):
        return kept
    if kept is None:
        raise stripe_event_not_found(event_id)
    processed = await _process(environment, parse_envelope(kept.payload), kept.payload, again=True)
    command.tell(processed.did)

    def effect(_unit: Unit) -> Work[bytes]:
        now = yield from read_event(event_id)
        assert now is not None, "events are never deleted"
        return command.encode(now, processed.outcome)

    detail = {"event_id": event_id, "outcome": processed.outcome.value}
    return await environment.store.write(lambda: once(environment.sources, request, [], effect, detail=detail))


async def _process(environment: Environment, envelope: Envelope, payload: bytes, *, again: bool) -> Processed:
    claim, event, runs = read_claim(envelope), read_object(environment, envelope), Runs(environment)
    try:
        effect = partial(effect_of, environment, claim, event, runs)
        known = event if isinstance(event, Result) else None
        result = await runs.write(partial(_keep, environment, envelope, payload, effect, known, again=again))
    except Refusal as refusal:
        # A rule of money stood against the effect: nothing of it was stored, so the event is kept for an operator.
        result = quarantined(f"{refusal.reason}: {refusal.message}")
        await environment.store.write(
            partial(_keep, environment, envelope, payload, partial(_said, result), again=again)
        )
    except Exception as error:
        environment.counters.events[_counted_type(envelope.event_type), FAILED] += 1
        await _keep_failure(environment, envelope, payload, error)
        raise
    if result is not None and result.customer_behind:
        await send_contact(environment, result.customer_behind)
    outcome = Outcome.DUPLICATE if result is None else Outcome(result.status.value)
    _count(environment, envelope, outcome, result)
    told = NOTHING if result is None else result.about({"note": result.note}).did
    if outcome is Outcome.QUARANTINED:
        log.error("stripe_event_quarantined", event_id=envelope.event_id, event_type=envelope.event_type, **told)
    return Processed(envelope.event_id, envelope.event_type, outcome, told)


def _count(environment: Environment, envelope: Envelope, outcome: Outcome, result: Result | None) -> None:
    counters = environment.counters
    counters.events[_counted_type(envelope.event_type), outcome.value] += 1
    if outcome is Outcome.PROCESSED and envelope.created_us is not None:
        counters.event_delays.observe(environment.clock_us() - envelope.created_us)
    if result is not None:
        count_effects(environment, result)


def count_effects(environment: Environment, result: Result) -> None:
    """Counts what a handler did for other events than its own. After the commit: a unit of work may run several
    times."""
    if result.completed_after_us is not None:
        environment.counters.completions.observe(result.completed_after_us)
    for event in result.picked_up:
        environment.counters.events[_counted_type(event.event_type), event.status.value] += 1
        told = {name: result.did[name] for name in ("account_id", "purchase_id") if name in result.did} | dict(
            event.did
        )
        said = {"event_id": event.event_id, "event_type": event.event_type, "note": event.note, **told}
        if event.status is EventStatus.QUARANTINED:
            log.error("stripe_event_quarantined", **said)
        else:
            log.info("stripe_event_picked_up", outcome=event.status.value, **said)


def _counted_type(event_type: str) -> str:
    """A type that has an effect here: the list of all others has no end."""
    return event_type if event_type in BY_TYPE else OTHER_TYPES


def _keep(
    environment: Environment,
    envelope: Envelope,
    payload: bytes,
    effect: Callable[[], Work[Result]],
    known: Result | None = None,
    *,
    again: bool,
) -> Work[Result | None]:
    """Inbox row and effect, together. A second delivery waits for the first at the row, and finds it done: None.
    `known`: the result of an event that asks nothing of the database, which is kept in one statement."""
    delivered, now_us = (envelope.event_id, envelope.event_type, payload), environment.clock_us()
    if (
        known is not None
        and not again
        and (yield from keep_event(*delivered, now_us, status=known.status, error=known.note))
    ):
        return (yield from effect())
    event = yield from claim_event(*delivered, now_us)
    settled = event.attempt_count > 0 and event.status is not EventStatus.FAILED
    if settled and (event.status is EventStatus.PROCESSED or not again):
        return None
    result = yield from effect()
    yield from close_event(
        envelope.event_id, result.status, environment.clock_us(), subject=result.awaited, error=result.note
    )
    return result


def _said(result: Result) -> Work[Result]:
    """An effect that is no more than a word."""
    return result
    yield  # a unit of work is a generator


async def _keep_failure(environment: Environment, envelope: Envelope, payload: bytes, error: Exception) -> None:
    """Notes that a try failed. The caller gets the failure itself, so a database that is away is no second failure."""
    cause = error.reason.value if isinstance(error, Refused) else type(error).__name__

    def work() -> Work[None]:
        event = yield from claim_event(envelope.event_id, envelope.event_type, payload, environment.clock_us())
        if event.attempt_count == 0 or event.status is EventStatus.FAILED:
            yield from close_event(envelope.event_id, EventStatus.FAILED, environment.clock_us(), error=cause)

    try:
        await environment.store.write(work)
    except Refused as also:
        log.warning("stripe_event_failure_not_kept", event_id=envelope.event_id, cause=cause, also=also.reason.value)
