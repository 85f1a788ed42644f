"""AdminService, comparison with Stripe: what it has against what the ledger has."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final, cast
from urllib.parse import quote, unquote

from prepaid.billing.v1 import reconciling_pb2

from billing_service.api import translate, validation
from billing_service.api.page_tokens import decode_page_token, encode_page_token
from billing_service.api.pipeline import Call
from billing_service.api.requests import caller
from billing_service.api.servicers.admin import reason_of
from billing_service.api.streams.parts import PartsImplementation
from billing_service.commands.environment import Environment
from billing_service.domain.refusals import invalid_field
from billing_service.domain.times import US_PER_S
from billing_service.payments.objects.checkout_session import KIND as CHECKOUT
from billing_service.payments.objects.fields import time_us
from billing_service.reconcile.audit import note_repair
from billing_service.reconcile.findings import Finding
from billing_service.reconcile.one_purchase import examine
from billing_service.reconcile.pace import Pace
from billing_service.reconcile.run import SKEW_US, Reconciler, Task
from billing_service.reconcile.stages import Cursor, read_cursor

WINDOW_US: Final = 3 * 86_400 * US_PER_S
"""Where no start is asked for: for so long Stripe tries to deliver an event."""
REFERENCE_MAX: Final = 255


class Reconciling:
    """Methods of AdminService."""

    def __init__(self, environment: Environment, pace: Pace, page_token_secret: bytes) -> None:
        self._environment = environment
        self._pace = pace
        self._reconciler = Reconciler(environment, pace)
        self._page_token_secret = page_token_secret
        self.reconcile = PartsImplementation(reconciling_pb2.ReconcileRequest, self._reconcile)

    async def _reconcile(self, request: reconciling_pb2.ReconcileRequest, call: Call) -> AsyncGenerator[bytes, None]:
        dry_run = not request.HasField("dry_run") or request.dry_run
        reason = validation.text("reason", request.reason) if dry_run else reason_of(request.reason)
        if request.purchase:
            reference = _reference(request)
            if not dry_run:
                await note_repair(self._environment, caller(call), {"reason": reason, "purchase": reference})
            yield await self._one(reference, dry_run=dry_run)
            return
        since_us, until_us, cursor = self._begin(request, dry_run=dry_run)
        if not (dry_run or request.resume_token):
            detail: dict[str, str | int] = {"reason": reason, "start_us": since_us, "end_us": until_us}
            await note_repair(self._environment, caller(call), detail)
        binding = _binding(request, dry_run=dry_run)
        while not cursor.is_end:
            step = await self._reconciler.step(Task(since_us, until_us, dry_run), cursor)
            cursor, position = step.cursor, f"{since_us} {until_us} {quote(step.cursor.text)}"
            yield reconciling_pb2.ReconcileResponse(
                findings=[_finding(each) for each in step.findings],
                stage=step.stage,
                compared_count=step.compared,
                resume_token="" if cursor.is_end else encode_page_token(self._page_token_secret, position, binding),
            ).SerializeToString()

    def _begin(self, request: reconciling_pb2.ReconcileRequest, *, dry_run: bool) -> tuple[int, int, Cursor]:
        """Where it begins. Raises INVALID_FIELD."""
        now_us = self._environment.clock_us()
        until_us = now_us + SKEW_US
        if request.HasField("end_time"):
            until_us = validation.timestamp_us("end_time", request.end_time)
        since_us = now_us - WINDOW_US
        if request.HasField("start_time"):
            since_us = validation.timestamp_us("start_time", request.start_time)
        if request.resume_token:
            binding = _binding(request, dry_run=dry_run)
            since, until, cursor = decode_page_token(
                self._page_token_secret, request.resume_token, binding, field="resume_token"
            ).split()
            return int(since), int(until), read_cursor(unquote(cursor))
        if since_us >= until_us:
            raise invalid_field("end_time", "must be after start_time")
        return since_us, until_us, Cursor()

    async def _one(self, reference: str, *, dry_run: bool) -> bytes:
        found = await examine(self._environment, self._pace, self._reconciler, reference, dry_run=dry_run)
        return reconciling_pb2.ReconcileResponse(
            findings=[_finding(each) for each in found.findings],
            stage="purchase",
            compared_count=len(found.objects),
            objects=[_object(kind, about) for kind, about in found.objects],
        ).SerializeToString()


def _reference(request: reconciling_pb2.ReconcileRequest) -> str:
    """Raises INVALID_FIELD."""
    if request.HasField("start_time"):
        raise invalid_field("start_time", "may not be set together with purchase")
    if request.HasField("end_time"):
        raise invalid_field("end_time", "may not be set together with purchase")
    if request.resume_token:
        raise invalid_field("resume_token", "may not be set together with purchase")
    return validation.identifier("purchase", request.purchase, REFERENCE_MAX)


def _binding(request: reconciling_pb2.ReconcileRequest, *, dry_run: bool) -> tuple[str | int, ...]:
    start = (request.start_time.seconds, request.start_time.nanos) if request.HasField("start_time") else (-1, 0)
    end = (request.end_time.seconds, request.end_time.nanos) if request.HasField("end_time") else (-1, 0)
    return ("reconcile", int(dry_run), *start, *end)


def _finding(found: Finding) -> reconciling_pb2.Finding:
    return reconciling_pb2.Finding(
        kind=cast("reconciling_pb2.FindingKind.ValueType", int(found.kind)),
        outcome=cast("reconciling_pb2.FindingOutcome.ValueType", int(found.outcome)),
        subject_id=found.stripe_object_id,
        account_id=found.account_id,
        purchase_id=found.purchase_id,
        changes=[reconciling_pb2.FindingChange(**change._asdict()) for change in found.changes],
        booked=found.booked,
        note=found.note,
    )


def _object(kind: str, about: Mapping[str, Any]) -> reconciling_pb2.StripeObject:
    words = [_text(about.get(name)) for name in ("status", "payment_status")]
    amount = about.get("amount_total" if kind == CHECKOUT else "amount")
    return reconciling_pb2.StripeObject(
        kind=kind,
        id=_text(about.get("id")),
        status=", ".join(word for word in words if word),
        amount_minor=amount if type(amount) is int else 0,
        currency=_text(about.get("currency")),
        create_time=translate.timestamp(time_us(about.get("created"))),
        failure=_failure(about),
    )


def _failure(about: Mapping[str, Any]) -> str:
    error = about.get("last_payment_error")
    return _text(error.get("message") if isinstance(error, Mapping) else about.get("failure_reason"))


def _text(value: object) -> str:
    return value[:REFERENCE_MAX] if isinstance(value, str) else ""
