"""What became of each of many operations: the bytes of its outcome, and its line in the log."""

import asyncio

import structlog
from google.protobuf.message import Message

from billing_service.api.call_log import REFUSALS_LOGGED_PER_S, Thinned, read_fields, said_of
from billing_service.api.pipeline import Call
from billing_service.api.servicers.deductions import OVERDUE, REFUSED_TAG, Begun, refused_bytes, varint
from billing_service.api.servicers.operations import Kinds
from billing_service.api.status import internal_status
from billing_service.domain.refusals import Failure, Reason, Refused, storage_unavailable

log = structlog.get_logger(__name__)


class Outcomes:
    """Encodes the outcome of each of many operations, as bytes of a DeductionOutcome. Counts and logs what a unary call
    would have."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._refusals, self._failures = Thinned(REFUSALS_LOGGED_PER_S), Thinned(1)

    def encode(self, begun: Begun, request: Message | None, call: Call) -> bytes:
        """The outcome of what was begun and is done, or could not be begun."""
        if isinstance(begun, Exception):
            return self._refuse(begun, request, call)
        assert request is not None, "what was begun asked for something"
        kind = self._kinds.of(request)
        try:
            reply = kind.reply(begun.result())
        except asyncio.CancelledError:
            return self._refuse(storage_unavailable(OVERDUE), request, call)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this operation's alone
            return self._refuse(error, request, call)
        return kind.tag + varint(len(reply)) + reply

    def _refuse(self, error: Exception, request: Message | None, call: Call) -> bytes:
        if not isinstance(error, Refused):
            return self._internal(error, request, call)
        call.edge.metrics.refusals[error.reason] += 1
        is_failure = isinstance(error, Failure)
        thinned = self._failures.take(error.reason) if is_failure else self._refusals.take("refused")
        if thinned is not None:
            write, event = (log.warning, "deduction_failed") if is_failure else (log.info, "deduction_refused")
            write(event, **(self._about(request, call) | said_of(error) | thinned))
        return refused_bytes(error)

    def _internal(self, error: Exception, request: Message | None, call: Call) -> bytes:
        call.edge.metrics.refusals[Reason.INTERNAL] += 1
        thinned = self._failures.take(Reason.INTERNAL)
        if thinned is not None:
            log.error("deduction_failed", **(self._about(request, call) | thinned), exc_info=error)
        ((_, status),) = internal_status(call.correlation_id).trailing_metadata
        return REFUSED_TAG + varint(len(status)) + status

    def _about(self, request: Message | None, call: Call) -> dict[str, object]:
        asked = {} if request is None else read_fields(self._kinds.of(request).logged, request)
        return {"method": call.method, **asked, "caller": call.caller, "correlation_id": call.correlation_id}
