"""BillingService, sessions: from their messages to what is done, and back."""

from types import MappingProxyType
from typing import Final

from google.protobuf.duration_pb2 import Duration
from prepaid.billing.v1 import sessions_pb2, transactions_pb2, usage_pb2

from billing_service.api import translate, validation
from billing_service.api.pipeline import Call
from billing_service.api.requests import key_of
from billing_service.api.servicers.holds import hold_message
from billing_service.api.servicers.usage import price_message, unpriced_message, usage_of_message
from billing_service.api.streams.rooms import Rooms
from billing_service.api.streams.session_implementation import SessionImplementation
from billing_service.commands.environment import Environment
from billing_service.commands.spending.session_charges import Close, close_session, decide_close, rooms_of
from billing_service.commands.spending.sessions import OpenSession, Owned, open_session, resume_session
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.refusals import invalid_field
from billing_service.domain.spending.captures import Captured
from billing_service.domain.spending.holds import Author
from billing_service.domain.spending.outcome_policies import Charge, GenerationOutcome
from billing_service.domain.spending.sessions import Room, left
from billing_service.domain.spending.usage import Measurement
from billing_service.domain.spending.usage_records import encode_usage
from billing_service.domain.times import US_PER_S

GRACE_DEFAULT_US: Final = 300 * US_PER_S
GRACE_MIN_US: Final = US_PER_S
GRACE_MAX_US: Final = 3_600 * US_PER_S
TOKEN_MAX: Final = 128
_CHARGES: Final = MappingProxyType({c: sessions_pb2.SessionCharge.Value(f"SESSION_CHARGE_{c.name}") for c in Charge})
_MEASUREMENTS: Final = MappingProxyType(
    {each: usage_pb2.Measurement.Value(f"MEASUREMENT_{each.name}") for each in Measurement}
)


class Metering:
    """Methods of BillingService."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.meter_session = SessionImplementation(
            environment=environment,
            begin=self._begin,
            opened=_opened,
            usage_of=usage_of_message,
            close=self._close,
            rooms=Rooms(lambda payers: rooms_of(environment, payers)),
        )

    async def _begin(self, request: sessions_pb2.MeterSessionRequest, call: Call) -> Owned:
        if request.HasField("open"):
            return await open_session(self._environment, _open_of(request.open, call))
        resume = request.resume
        call.require_account(resume.account_id)
        return await resume_session(
            self._environment,
            validation.account_id(resume.account_id, "resume.account_id"),
            validation.identifier("resume.session_id", resume.session_id, validation.ACCOUNT_ID_MAX),
            validation.identifier("resume.token", resume.token, TOKEN_MAX),
        )

    async def _close(self, owned: Owned, request: sessions_pb2.CloseSession) -> bytes:
        try:
            outcome = GenerationOutcome(request.outcome)
        except ValueError:
            raise invalid_field("close.outcome", "is required, and one that this service knows") from None
        usage = usage_of_message(request.usage, "close.usage") if request.HasField("usage") else None
        close = await decide_close(self._environment, owned, usage, outcome)
        answer = await close_session(
            self._environment,
            owned,
            close,
            lambda captured, shown: _encode_closed(close, captured, shown),
            charged_by_other=_charged,
        )
        closed = sessions_pb2.SessionClosed.FromString(answer.reply)
        return sessions_pb2.MeterSessionResponse(closed=closed).SerializeToString()


def _open_of(request: sessions_pb2.OpenSession, call: Call) -> OpenSession:
    call.require_account(request.account_id)
    account_id = validation.account_id(request.account_id, "open.account_id")
    estimate = usage_of_message(request.estimate, "open.estimate") if request.HasField("estimate") else None
    if estimate is None and not request.slice_microcredits:
        raise invalid_field("open.slice_microcredits", "is required without an estimate")
    step = (
        validation.amount_microcredits(request.slice_microcredits, "open.slice_microcredits")
        if request.slice_microcredits
        else 0
    )
    grace_us = _grace_us(request.grace) if request.HasField("grace") else GRACE_DEFAULT_US
    description = validation.text("open.description", request.description) if request.description else ""
    metadata = validation.metadata_text(request.metadata) if request.metadata else ""
    spender_ids = validation.spenders(call.spender_ids, request.spender_ids, "open.spender_ids")
    meaning = (encode_usage(estimate), step, grace_us, description, metadata)
    sent = (list(request.spender_ids),) if request.spender_ids else ()
    key = key_of(call, account_id, request.idempotency_key, *meaning, *sent)
    author = Author(call.caller, description, metadata)
    return OpenSession(account_id, estimate, step, grace_us, author, key, request.idempotency_key, spender_ids)


def _grace_us(grace: Duration) -> int:
    grace_us = grace.seconds * US_PER_S + grace.nanos // 1_000
    if not GRACE_MIN_US <= grace_us <= GRACE_MAX_US:
        raise invalid_field("open.grace", "must be 1 second to 1 hour")
    return grace_us


def _opened(owned: Owned, room: Room) -> bytes:
    session = owned.session
    opened = sessions_pb2.SessionOpened(
        session_id=session.session_id,
        token=owned.token,
        rate_card_version=session.rate_card_version,
        held_microcredits=session.held,
        left_microcredits=left(session, room),
        sequence=session.sequence,
        charged_microcredits=session.charged,
        expire_time=translate.timestamp(session.expire_time_us),
        end_time=translate.timestamp(session.end_time_us),
    )
    return sessions_pb2.MeterSessionResponse(opened=opened).SerializeToString()


def _charged(reply: bytes) -> str:
    """The transaction of a charge, whichever RPC made it: replies of all that charge have it in one place."""
    return transactions_pb2.DeductCreditsResponse.FromString(reply).transaction_id


def _encode_closed(close: Close, captured: Captured, shown: Balance) -> bytes:
    return sessions_pb2.SessionClosed(
        transaction_id=captured.transaction_id,
        charged_microcredits=captured.amount,
        uncollected_microcredits=captured.uncollected,
        price=_price_of(close, captured),
        charge=_CHARGES[close.charge],
        measurement=_MEASUREMENTS[close.measurement],
        balance=translate.balance(shown),
        hold=hold_message(captured.hold, shown.account_id),
    ).SerializeToString()


def _price_of(close: Close, captured: Captured) -> usage_pb2.Price | None:
    if close.unpriced is not None:
        return unpriced_message(close.unpriced, captured.amount + captured.uncollected)
    return None if close.priced is None else price_message(close.priced.price)
