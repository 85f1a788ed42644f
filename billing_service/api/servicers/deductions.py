"""From one DeductCreditsRequest to the operation that it asks for, and to its outcome among others: what the unary
call, the batch and the stream have in common."""

import asyncio
from typing import Final

import structlog
from prepaid.billing.v1 import transactions_pb2

from billing_service.api import translate, validation
from billing_service.api.call_log import REFUSALS_LOGGED_PER_S, Thinned, read_fields, readers_of, said_of
from billing_service.api.pipeline import Call
from billing_service.api.requests import Replies
from billing_service.api.status import internal_status, status_of
from billing_service.commands.sales.create_purchase import metadata_text
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.refusals import Failure, Reason, Refused, invalid_field, storage_unavailable
from billing_service.domain.spending.deductions import Deducted, DeductionMode
from billing_service.ledger.keys import Answer, IdempotencyKey, fingerprint
from billing_service.ledger.operations.deduct import Deduct

log = structlog.get_logger(__name__)

DEDUCTED_TAG: Final = bytes([transactions_pb2.DeductionOutcome.DEDUCTED_FIELD_NUMBER << 3 | 2])
REFUSED_TAG: Final = bytes([transactions_pb2.DeductionOutcome.REFUSED_FIELD_NUMBER << 3 | 2])
OVERDUE: Final = (
    "the deduction took longer than the service allows; the same idempotency key finds out what became of it"
)

_MODES = {
    transactions_pb2.DEDUCTION_MODE_UNSPECIFIED: DeductionMode.REJECT,
    transactions_pb2.DEDUCTION_MODE_REJECT: DeductionMode.REJECT,
    transactions_pb2.DEDUCTION_MODE_UP_TO_AVAILABLE: DeductionMode.UP_TO_AVAILABLE,
    transactions_pb2.DEDUCTION_MODE_ALLOW_DEBT: DeductionMode.ALLOW_DEBT,
}
reply_of_deduction: Final = Replies(transactions_pb2.DeductCreditsResponse)

Begun = asyncio.Future[Answer] | Exception
"""A deduction that was submitted, or why it was not."""


def _encode_deduction(deducted: Deducted, shown: Balance) -> bytes:
    reply = transactions_pb2.DeductCreditsResponse()
    reply.transaction_id = deducted.transaction_id
    reply.deducted_microcredits = deducted.amount
    translate.put_balance(reply.balance, shown)
    for lot_id, category, amount in deducted.draws:
        reply.draws.add(lot_id=lot_id, category=category, amount_microcredits=amount)
    return reply.SerializeToString()


def deduction_of(request: transactions_pb2.DeductCreditsRequest, call: Call) -> Deduct:
    """The operation that a request asks for. Its key is one of DeductCredits, whichever RPC brought it. Raises
    ACCOUNT_NOT_ALLOWED, INVALID_FIELD."""
    caller = call.caller
    call.require_account(request.account_id)
    account_id = validation.account_id(request.account_id)
    if not request.HasField("amount_microcredits"):
        raise invalid_field("cost", "amount_microcredits is required")
    amount = validation.amount_microcredits(request.amount_microcredits)
    mode = _MODES.get(request.mode)
    if mode is None:
        raise invalid_field("mode", "is a value that this service does not know")
    description = validation.text("description", request.description) if request.description else ""
    metadata = metadata_text(validation.metadata(request.metadata)) if request.metadata else ""
    key = IdempotencyKey(
        account_id,
        validation.idempotency_key(request.idempotency_key),
        f"{caller}/DeductCredits",
        fingerprint(account_id, amount, mode.value, description, metadata),
    )
    return Deduct(account_id, amount, mode, key, caller, description, metadata, _encode_deduction)


class Outcomes:
    """Encodes the outcome of each of many deductions, as bytes of a DeductionOutcome. Counts and logs what a unary call
    would have."""

    def __init__(self) -> None:
        self._refusals, self._failures = Thinned(REFUSALS_LOGGED_PER_S), Thinned(1)
        self._asked = readers_of(transactions_pb2.DeductCreditsRequest.DESCRIPTOR)

    def encode(self, begun: Begun, request: transactions_pb2.DeductCreditsRequest | None, call: Call) -> bytes:
        """The outcome of what was begun and is done, or could not be begun."""
        if isinstance(begun, Exception):
            return self._refuse(begun, request, call)
        try:
            reply = reply_of_deduction(begun.result())
        except asyncio.CancelledError:
            return self._refuse(storage_unavailable(OVERDUE), request, call)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this deduction's alone
            return self._refuse(error, request, call)
        return DEDUCTED_TAG + varint(len(reply)) + reply

    def _refuse(self, error: Exception, request: transactions_pb2.DeductCreditsRequest | None, call: Call) -> bytes:
        if not isinstance(error, Refused):
            return self._internal(error, request, call)
        call.edge.metrics.refusals[error.reason] += 1
        is_failure = isinstance(error, Failure)
        thinned = self._failures.take(error.reason) if is_failure else self._refusals.take("refused")
        if thinned is not None:
            write, event = (log.warning, "deduction_failed") if is_failure else (log.info, "deduction_refused")
            write(event, **(self._about(request, call) | said_of(error) | thinned))
        return refused_bytes(error)

    def _internal(self, error: Exception, request: transactions_pb2.DeductCreditsRequest | None, call: Call) -> bytes:
        call.edge.metrics.refusals[Reason.INTERNAL] += 1
        thinned = self._failures.take(Reason.INTERNAL)
        if thinned is not None:
            log.error("deduction_failed", **(self._about(request, call) | thinned), exc_info=error)
        ((_, status),) = internal_status(call.correlation_id).trailing_metadata
        return REFUSED_TAG + varint(len(status)) + status

    def _about(self, request: transactions_pb2.DeductCreditsRequest | None, call: Call) -> dict[str, object]:
        asked = {} if request is None else read_fields(self._asked, request)
        return {"method": call.method, **asked, "caller": call.caller, "correlation_id": call.correlation_id}


def refused_bytes(refused: Refused) -> bytes:
    """A DeductionOutcome that says no, with what the unary call's status would carry."""
    ((_, status),) = status_of(refused).trailing_metadata
    return REFUSED_TAG + varint(len(status)) + status


_MORE: Final = 0x80
"""Marks each byte of a varint but the last."""


def varint(number: int) -> bytes:
    """As protobuf writes lengths and numbers: seven bits a byte, the lowest first."""
    if number < _MORE:
        return bytes((number,))
    written = bytearray()
    while number >= _MORE:
        written.append(number & 0x7F | _MORE)
        number >>= 7
    written.append(number)
    return bytes(written)
