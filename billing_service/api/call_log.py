"""What the log says of calls: a line `rpc` with what was asked for, how it ended and, of a write, what it did.

    most methods   each call
    hot methods    what was refused, failed or took long, so many lines a second at most; each call at DEBUG

A line for each deduction would cost a sixth of the throughput. Of requests and answers the log has the fields of LOGGED
and no others: ids, states and amounts. What people wrote, e-mail addresses, names, links and secrets are not among
them.
"""

from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from billing_service.api.metrics import CODE_NAMES
from billing_service.api.status import status_of
from billing_service.domain.refusals import Failure, Reason, Refused

if TYPE_CHECKING:
    from billing_service.api.pipeline import Call

HOT_METHODS: Final = frozenset(
    {
        *("DeductCredits", "BatchDeductCredits", "StreamDeductions", "GetBalance", "QuoteUsage"),
        *("HoldCredits", "CaptureHold", "ReleaseHold", "ExtendHold"),
    }
)
SLOW_S: Final = 1.0
"""A call that took as long is logged whatever its method: a deduction takes some milliseconds."""
REFUSALS_LOGGED_PER_S: Final = 20
"""Lines of a hot method: a caller out of credits can be refused thousands of times a second."""

LOGGED: Final = frozenset(
    {
        *("account_id", "purchase_id", "transaction_id", "lot_id", "refund_id", "hold_id", "event_id"),
        *("key_id", "package_code", "delivery_count", "spender_id", "spender_ids", "window", "limit_microcredits"),
        *("checkout_session_id", "payment_intent_id", "stripe_refund_id", "stripe_customer_id"),
        *("referrer_account_id", "referee_account_id", "caller", "scopes", "event_type"),
        *("outcome", "status", "state", "mode", "policy", "over_hold", "final", "kind", "category"),
        *("payment_flow", "currency"),
        *("amount_microcredits", "deducted_microcredits", "captured_microcredits", "released_microcredits"),
        *("missing", "uncollected_microcredits", "additional_microcredits", "minimum_microcredits"),
        *("expiry_capture_microcredits", "reversed_microcredits", "debt_microcredits", "available_microcredits"),
        *("credits_microcredits", "bonus_microcredits", "overdraft_limit_microcredits", "debt_max_microcredits"),
        "low_balance_microcredits",
        *("amount_minor", "custom_amount_minor", "paid_minor", "refunded_minor", "refund_pending_minor"),
        *("disputed_minor", "flags"),
        *("frozen", "priority", "expire_time", "effective_time", "reward_time", "replayed"),
        *("provider", "model", "rate_card_version"),
        *("version", "in_force_time", "source", "markup_ppm", "entry_count"),
        *("from_rate_card_version", "to_rate_card_version", "start_time", "end_time", "dry_run", "reached_time"),
    }
)
"""Fields of requests and answers that the log has."""
NOT_LOGGED: Final = frozenset(
    {
        *("email", "name", "description", "reason", "metadata", "referral_code"),  # of people, or written by them
        *("secret", "client_secret", "stripe_signature", "payload", "success_url", "cancel_url", "checkout_url"),
        # of the first callers make what they like; the second is the `note` of the event's own line
        *("idempotency_key", "error"),
        *(
            "create_time",
            "complete_time",
            "receive_time",
            "received_time",
            "process_time",
            "revoke_time",
            "last_use_time",
        ),
        *(
            *("account_version", "as_of_time", "as_of_version"),
            "spend_limits",
            "attempt_count",
            "balance_microcredits",
            "draws",
            "ttl",
            "server_time",
            "deductions",
            "outcomes",
            *("operations", "operation"),
            "deduction",
            "sequence",
            "account_ids",  # the audit record has them
        ),
        *(
            "held_microcredits",
            "frozen_microcredits",
            "promotional_microcredits",
            "plan_microcredits",
            "paid_microcredits",
        ),
        *("next_expiry_time", "next_expiry_microcredits", "card_file"),
        *("page_size", "page_token", "next_page_token", "models", "accounts", "unpriced", "uncorrected"),
        # of usage and price, what its receipt has; the caller's words for a request may be anything
        *("request_id", "service_tier", "attributes", "lines", "measurement", "occur_time", "provider_cost_usd"),
        *("model_pattern", "prompt_tier", "exact_total", "time_basis"),
    }
)
"""Fields of writes that it has not. A field in neither is not logged; a test asks where it belongs."""
NESTED: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("account", "purchase", "refund", "referral", "hold", "api_key", "event", "rate_card", "usage"), ""
    ),
    "price": "price_",
    "balance": "balance_",
}
"""Messages whose fields count as the answer's own, with what goes before their names."""
_RENAMED: Final = {
    "ReverseDeductionRequest.transaction_id": "reversed_transaction_id",  # the answer's is the new one
    "CreateApiKeyRequest.caller": "key_caller",  # `caller` is who calls
    "ApiKey.caller": "key_caller",
    "Hold.amount_microcredits": "hold_microcredits",  # the request's is what this call asked for
    "Hold.captured_microcredits": "hold_captured_microcredits",
    "Hold.expiry_capture_microcredits": "hold_expiry_capture_microcredits",
}
_DETAILS_NOT_LOGGED: Final = frozenset({"event", "idempotency_key", "referral_code"})
"""Of the details of a refusal."""

Read = Callable[[Any], object]
Readers = Mapping[str, Read]


class Thinned:
    """Lets so many lines of each kind through in a second, and counts those that it leaves out."""

    def __init__(self, lines_per_s: int) -> None:
        self._lines_per_s = lines_per_s
        self._seconds: dict[str, tuple[float, int]] = {}
        self._left_out: dict[str, int] = {}

    def take(self, kind: str) -> dict[str, int] | None:
        """None for a line to leave out. Else what the line says of those before it: `left_out`, where there were
        any."""
        now = monotonic()
        begin, lines = self._seconds.get(kind, (now, 0))
        if now - begin >= 1:
            begin, lines = now, 0
        if lines >= self._lines_per_s:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        self._seconds[kind] = (begin, lines + 1)
        left_out = self._left_out.pop(kind, 0)
        return {"left_out": left_out} if left_out else {}


class CallLog:
    """The lines of one method."""

    def __init__(self, method: MethodDescriptor, log: Any, *, logs_hot_calls: bool) -> None:
        self._log = log
        self._is_hot = method.name in HOT_METHODS
        self._is_stream = method.client_streaming or method.server_streaming
        self.logs_successes = logs_hot_calls or not self._is_hot
        """Whether those that took no long time have a line too."""
        self._logs_hot_calls = logs_hot_calls
        self._asked = readers_of(method.input_type)
        self._answered = readers_of(method.output_type) if is_write(method) else {}
        self._parse_answer = GetMessageClass(method.output_type).FromString
        self._refusals, self._failures = Thinned(REFUSALS_LOGGED_PER_S), Thinned(1)

    def succeeded(self, call: "Call", seconds: float, answer: Message | bytes | None = None) -> None:
        did: dict[str, object] = {}
        if self._answered and answer is not None:
            did = read_fields(self._answered, self._parse_answer(answer) if isinstance(answer, bytes) else answer)
        slow = {"slow": True} if seconds >= SLOW_S and not self._is_stream else {}
        self._write("debug" if self._is_hot and not slow else "info", call, "OK", seconds, did | slow)

    def refused(self, call: "Call", refused: Refused, seconds: float) -> None:
        is_failure = isinstance(refused, Failure)
        thinned = self._failures.take(refused.reason) if self._is_hot and is_failure else self._thin()
        if thinned is None:
            return
        code = CODE_NAMES[status_of(refused).code]
        self._write("warning" if is_failure else "info", call, code, seconds, said_of(refused) | thinned)

    def interrupted(self, call: "Call", code: grpc.StatusCode, seconds: float) -> None:
        """The caller hung up, or its deadline passed."""
        thinned = self._thin()
        if thinned is not None:
            self._write("info", call, CODE_NAMES[code], seconds, thinned)

    def broke(self, call: "Call", error: BaseException, code: grpc.StatusCode, reason: Reason, seconds: float) -> None:
        """A defect, with its traceback."""
        self._write("error", call, CODE_NAMES[code], seconds, {"reason": reason.value, "exc_info": error})

    def _thin(self) -> dict[str, int] | None:
        return self._refusals.take("refused") if self._is_hot and not self._logs_hot_calls else {}

    def _write(self, level: str, call: "Call", code: str, seconds: float, said: Mapping[str, object]) -> None:
        about = {} if call.request is None else read_fields(self._asked, call.request)
        trace_id = call.trace_id
        fields = {
            "method": call.method,
            "code": code,
            **about,
            **said,
            **call.did,
            "caller": call.caller,
            "peer": call.peer,
            "duration_ms": round(seconds * 1000, 3),
            "correlation_id": call.correlation_id,
            **({"trace_id": trace_id} if trace_id not in ("", call.correlation_id) else {}),
        }
        getattr(self._log, level)("rpc", **fields)


def is_write(method: MethodDescriptor) -> bool:
    """Whether a method changes something and says in its answer what. Stripe's events are their own idempotency
    keys."""
    return method.name == "ProcessStripeEvent" or "idempotency_key" in method.input_type.fields_by_name


def said_of(refused: Refused) -> dict[str, object]:
    """Why a call was refused or failed: reason, words, the values in them, and of a failure what caused it."""
    details = {name: value for name, value in refused.metadata.items() if name not in _DETAILS_NOT_LOGGED}
    cause = {"cause": repr(refused.__cause__)} if isinstance(refused, Failure) and refused.__cause__ is not None else {}
    return {**details, "reason": refused.reason.value, "message": refused.message, **cause}


def readers_of(message: Descriptor) -> Readers:
    """How the fields of a message that the log has are read, by their names in the log."""
    return dict(_readers(message, lambda read_from: read_from, ""))


def read_fields(readers: Readers, message: Message) -> dict[str, object]:
    """What the log says of a message. Texts, words and moments that are not there are left out."""
    values = ((name, read(message)) for name, read in readers.items())
    return {name: value for name, value in values if value is not None}


def _readers(message: Descriptor, reach: Read, prefix: str) -> Iterator[tuple[str, Read]]:
    for field in message.fields:
        if field.name in NESTED and field.message_type is not None and not field.is_repeated:
            yield from _readers(field.message_type, _reach(reach, field), NESTED[field.name])
        elif field.name in LOGGED and field.message_type in (None, Timestamp.DESCRIPTOR):
            yield prefix + _RENAMED.get(f"{message.name}.{field.name}", field.name), _reader(reach, field)


def _reach(outer: Read, field: FieldDescriptor) -> Read:
    name = field.name

    def reach(message: Any) -> object:
        within: Any = outer(message)
        return getattr(within, name) if within is not None and within.HasField(name) else None

    return reach


def _reader(reach: Read, field: FieldDescriptor) -> Read:
    name, value_of = field.name, _value_of(field)
    may_be_absent = field.has_presence

    def read(message: Any) -> object:
        within: Any = reach(message)
        if within is None or (may_be_absent and not within.HasField(name)):
            return None
        return value_of(getattr(within, name))

    return read


def _value_of(field: FieldDescriptor) -> Callable[[Any], object]:
    if field.enum_type is not None:
        word = _words(field.enum_type)
        return (
            (lambda numbers: " ".join(str(word(number)) for number in numbers) or None) if field.is_repeated else word
        )
    if field.message_type is not None:
        return _moment
    if field.name == "replayed":
        return lambda replayed: True if replayed else None
    return (lambda text: text or None) if field.type == FieldDescriptor.TYPE_STRING else lambda value: value


def _words(enum: EnumDescriptor) -> Callable[[int], object]:
    """Of a number its name without what all names begin with; None for the one that says nothing, the number where it
    has no name."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    words = {value.number: value.name.removeprefix(prefix) for value in enum.values}
    return lambda number: words.get(number, number) if number else None


def _moment(time: Timestamp) -> object:
    try:
        return time.ToJsonString()
    except ValueError:  # a request's may be out of range
        return f"{time.seconds} s"
