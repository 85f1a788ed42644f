"""BillingService, holds: from a request to the operation that it asks for, and from a hold to its message. What unary
calls, batches and streams have in common. Reads of holds are here, too."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from prepaid.billing.v1 import sessions_pb2, transactions_pb2

from billing_service.api import translate, validation
from billing_service.api.pipeline import Call
from billing_service.api.requests import Replies
from billing_service.api.servicers.usage import usage_of_message
from billing_service.domain.ledger.amounts import AMOUNT_MAX
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.ledger.holds import Hold
from billing_service.domain.refusals import invalid_field
from billing_service.domain.spending.captures import Captured, OverHold
from billing_service.domain.spending.holds import HOLD_LIFETIME_MAX_US, Author, HoldChanged, HoldMode, HoldTerms
from billing_service.domain.times import US_PER_S
from billing_service.ledger.keys import Answer, IdempotencyKey, fingerprint
from billing_service.ledger.operations import holds as operations

HOLD_ID_MAX: Final = 128
LIFETIME_DEFAULT_US: Final = 10 * 60 * US_PER_S
_LIFETIME_MIN_US: Final = US_PER_S
_MODES: Final = MappingProxyType({0: HoldMode.REJECT} | {int(mode): mode for mode in HoldMode})
_OVER_HOLD: Final = MappingProxyType({0: OverHold.REJECT} | {int(mode): mode for mode in OverHold})


class TimedReplies:
    """Replies that carry the service's time as of their sending: a replay is told from what has ended since."""

    def __init__(self, response: type[Message], clock_us: Callable[[], int]) -> None:
        self._replies = Replies(response)
        self._tag = bytes([response.DESCRIPTOR.fields_by_name["server_time"].number << 3 | 2])
        self._clock_us = clock_us

    def __call__(self, answer: Answer) -> bytes:
        now_us = self._clock_us()
        sent = Timestamp(seconds=now_us // 1_000_000, nanos=now_us % 1_000_000 * 1_000).SerializeToString()
        return b"%b%b%c%b" % (self._replies(answer), self._tag, len(sent), sent)


def hold_message(hold: Hold, account_id: str) -> transactions_pb2.Hold:
    """The wire's hold."""
    message = transactions_pb2.Hold()
    _put_hold(message, hold, account_id)
    return message


def _put_hold(message: transactions_pb2.Hold, hold: Hold, account_id: str) -> None:
    state: Any = int(hold.state)
    message.hold_id = hold.hold_id
    message.account_id = account_id
    message.amount_microcredits = hold.amount
    message.captured_microcredits = hold.captured
    message.released_microcredits = hold.released
    message.state = state
    for time, time_us in ((message.create_time, hold.create_time_us), (message.expire_time, hold.expire_time_us)):
        time.seconds, time.nanos = time_us // US_PER_S, time_us % US_PER_S * 1_000
    for leg in hold.legs:
        category: Any = int(leg.category)
        message.draws.add(lot_id=leg.lot_id, category=category, amount_microcredits=leg.amount)
    message.expiry_capture_microcredits = hold.expiry_capture
    message.description = hold.description
    message.rate_card_version = hold.rate_card_version
    message.spender_ids.extend(hold.spender_ids)
    if hold.metadata:
        message.metadata.update(translate.metadata(hold.metadata) or {})


def _encode_changed(
    reply: transactions_pb2.HoldCreditsResponse
    | transactions_pb2.ReleaseHoldResponse
    | transactions_pb2.ExtendHoldResponse,
    changed: HoldChanged,
    shown: Balance,
) -> bytes:
    reply.transaction_id = changed.transaction_id
    _put_hold(reply.hold, changed.hold, shown.account_id)
    translate.put_balance(reply.balance, shown)
    return reply.SerializeToString()


def _encode_held(changed: HoldChanged, shown: Balance) -> bytes:
    return _encode_changed(transactions_pb2.HoldCreditsResponse(), changed, shown)


def _encode_released(changed: HoldChanged, shown: Balance) -> bytes:
    return _encode_changed(transactions_pb2.ReleaseHoldResponse(), changed, shown)


def _encode_extended(changed: HoldChanged, shown: Balance) -> bytes:
    return _encode_changed(transactions_pb2.ExtendHoldResponse(), changed, shown)


def _encode_captured(captured: Captured, shown: Balance) -> bytes:
    reply = transactions_pb2.CaptureHoldResponse()
    reply.transaction_id = captured.transaction_id
    reply.captured_microcredits = captured.amount
    translate.put_balance(reply.balance, shown)
    for lot_id, category, amount in captured.draws:
        reply.draws.add(lot_id=lot_id, category=category, amount_microcredits=amount)
    reply.uncollected_microcredits = captured.uncollected
    _put_hold(reply.hold, captured.hold, shown.account_id)
    return reply.SerializeToString()


def hold_of(request: transactions_pb2.HoldCreditsRequest, call: Call) -> operations.HoldCredits:
    """Where it has a usage, without its price yet. Raises ACCOUNT_NOT_ALLOWED, INVALID_FIELD."""
    account_id = account_of(request, call)
    amount, usage = AMOUNT_MAX, None
    if request.HasField("amount_microcredits"):
        amount = validation.amount_microcredits(request.amount_microcredits)
    elif request.HasField("usage"):
        usage = usage_of_message(request.usage)
    else:
        raise invalid_field("cost", "amount_microcredits or usage is required")
    mode = _MODES.get(request.mode)
    if mode is None:
        raise invalid_field("mode", "is a value that this service does not know")
    minimum_max = amount if mode is HoldMode.UP_TO_AVAILABLE else 0
    minimum = _between("minimum_microcredits", request.minimum_microcredits, 0, minimum_max) or 1
    lifetime_us = _lifetime_us(request.ttl) if request.HasField("ttl") else LIFETIME_DEFAULT_US
    capture = _between("expiry_capture_microcredits", request.expiry_capture_microcredits, 0, amount)
    author = _author(request, call)
    spender_ids = validation.spenders(call.spender_ids, request.spender_ids)
    sent = (list(request.spender_ids),) if request.spender_ids else ()
    cost = usage.meaning if usage else amount
    key = _key(request, call, "HoldCredits", cost, mode.value, minimum, lifetime_us, capture, *_words(author), *sent)
    asked = HoldTerms(amount, mode, minimum, lifetime_us, capture, spender_ids=spender_ids)
    return operations.HoldCredits(account_id, asked, key, author, _encode_held, usage)


def capture_of(request: transactions_pb2.CaptureHoldRequest, call: Call) -> operations.CaptureHold:
    """Its key is one of DeductCredits, as every charge's is. Where it has a usage, without its price yet. Raises
    ACCOUNT_NOT_ALLOWED, INVALID_FIELD."""
    account_id = account_of(request, call)
    hold_id = validation.identifier("hold_id", request.hold_id, HOLD_ID_MAX)
    usage = usage_of_message(request.usage) if request.HasField("usage") else None
    if usage is None and not request.HasField("amount_microcredits"):
        raise invalid_field("cost", "amount_microcredits or usage is required")
    final = request.final or not request.HasField("final")
    least = 0 if final or usage else 1
    amount = _between("amount_microcredits", request.amount_microcredits, least, AMOUNT_MAX)
    over_hold = _OVER_HOLD.get(request.over_hold)
    if over_hold is None:
        raise invalid_field("over_hold", "is a value that this service does not know")
    author = _author(request, call)
    meaning = ("CaptureHold", hold_id, usage.meaning if usage else amount, final, over_hold.value, *_words(author))
    key = _key(request, call, "DeductCredits", *meaning, charged_by_other=_deducted)
    return operations.CaptureHold(account_id, hold_id, amount, final, over_hold, key, author, _encode_captured, usage)


def release_of(request: transactions_pb2.ReleaseHoldRequest, call: Call) -> operations.ReleaseHold:
    """Raises ACCOUNT_NOT_ALLOWED, INVALID_FIELD."""
    account_id = account_of(request, call)
    hold_id = validation.identifier("hold_id", request.hold_id, HOLD_ID_MAX)
    author = Author(call.caller, validation.text("description", request.description))
    key = _key(request, call, "ReleaseHold", hold_id, author.description)
    return operations.ReleaseHold(account_id, hold_id, key, author, _encode_released)


def extension_of(request: transactions_pb2.ExtendHoldRequest, call: Call) -> operations.ExtendHold:
    """Raises ACCOUNT_NOT_ALLOWED, INVALID_FIELD."""
    account_id = account_of(request, call)
    hold_id = validation.identifier("hold_id", request.hold_id, HOLD_ID_MAX)
    additional = _between("additional_microcredits", request.additional_microcredits, 0, AMOUNT_MAX)
    lifetime_us = _lifetime_us(request.ttl) if request.HasField("ttl") else 0
    if not additional and not lifetime_us:
        raise invalid_field("additional_microcredits", "or ttl is required")
    key = _key(request, call, "ExtendHold", hold_id, additional, lifetime_us)
    return operations.ExtendHold(
        account_id, hold_id, additional, lifetime_us, key, Author(call.caller), _encode_extended
    )


def captured_by_key(reply: bytes) -> str:
    """The transaction of a capture whose reply this is; empty for the reply of a deduction."""
    kept = transactions_pb2.CaptureHoldResponse.FromString(reply)
    return kept.transaction_id if kept.HasField("hold") else ""


def _deducted(reply: bytes) -> str:
    """The transaction of a deduction or of a session whose reply this is; empty for the reply of a capture."""
    kept = transactions_pb2.CaptureHoldResponse.FromString(reply)
    is_capture = kept.HasField("hold") and not sessions_pb2.SessionClosed.FromString(reply).charge
    return "" if is_capture else kept.transaction_id


def account_of(request: Any, call: Call) -> str:
    """The account that a request names. Raises ACCOUNT_NOT_ALLOWED, INVALID_FIELD."""
    call.require_account(request.account_id)
    return validation.account_id(request.account_id)


def _author(request: Any, call: Call) -> Author:
    return Author(
        call.caller,
        validation.text("description", request.description) if request.description else "",
        validation.metadata_text(request.metadata) if request.metadata else "",
    )


def _words(author: Author) -> tuple[str, str]:
    return author.description, author.metadata


def _key(
    request: Any, call: Call, method: str, *meaning: Any, charged_by_other: Callable[[bytes], str] | None = None
) -> IdempotencyKey:
    value = validation.idempotency_key(request.idempotency_key)
    digest = fingerprint(request.account_id, *meaning)
    return IdempotencyKey(request.account_id, value, f"{call.caller}/{method}", digest, charged_by_other)


def _between(field: str, value: int, least: int, most: int) -> int:
    if least <= value <= most:
        return value
    raise invalid_field(field, f"must be from {least} to {most}")


def _lifetime_us(ttl: Duration) -> int:
    lifetime_us = ttl.seconds * US_PER_S + ttl.nanos // 1_000
    if not _LIFETIME_MIN_US <= lifetime_us <= HOLD_LIFETIME_MAX_US:
        raise invalid_field("ttl", "must be from 1 s to 24 h")
    return lifetime_us
