"""From one DeductCreditsRequest to the operation that it asks for, and to its outcome among others: what the unary
call, the batch and the stream have in common."""

import asyncio
from functools import partial
from typing import Final

import structlog
from prepaid.billing.v1 import transactions_pb2

from billing_service.api import translate, validation
from billing_service.api.late import Late, begin_late
from billing_service.api.pipeline import Call
from billing_service.api.requests import Replies
from billing_service.api.servicers.holds import captured_by_key
from billing_service.api.servicers.usage import price_message, usage_of_message
from billing_service.api.status import status_of
from billing_service.commands.environment import Environment
from billing_service.commands.spending.price_usage import Cost, price_at_hand, price_usage
from billing_service.domain.catalogue.packages import Catalog
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.refusals import Refusal, Refused, invalid_field
from billing_service.domain.spending.affordable import advice_on
from billing_service.domain.spending.deductions import Deducted, DeductionMode
from billing_service.domain.spending.price_records import encode_price
from billing_service.domain.spending.usage import Usage
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

PRICE_TAG: Final = bytes([transactions_pb2.DeductCreditsResponse.PRICE_FIELD_NUMBER << 3 | 2])

Begun = asyncio.Future[Answer] | Exception
"""A deduction that was submitted, or why it was not."""


def _encode_deduction(deducted: Deducted, shown: Balance) -> bytes:
    reply = transactions_pb2.DeductCreditsResponse()
    reply.transaction_id = deducted.transaction_id
    reply.deducted_microcredits = deducted.amount
    reply.uncollected_microcredits = deducted.uncollected
    translate.put_balance(reply.balance, shown)
    for lot_id, category, amount in deducted.draws:
        reply.draws.add(lot_id=lot_id, category=category, amount_microcredits=amount)
    return reply.SerializeToString()


def _encode_priced(price: bytes, deducted: Deducted, shown: Balance) -> bytes:
    """`price`: the reply's field with its tag. Fields of a message may be in any order."""
    return _encode_deduction(deducted, shown) + price


def deduction_of(request: transactions_pb2.DeductCreditsRequest, call: Call) -> Deduct:
    """The operation that a request asks for; where it has a usage, without its price yet (`priced`). Its key is one of
    DeductCredits, whichever RPC brought it. Raises ACCOUNT_NOT_ALLOWED, INVALID_FIELD."""
    caller = call.caller
    call.require_account(request.account_id)
    account_id = validation.account_id(request.account_id)
    amount, usage = 0, None
    if request.HasField("amount_microcredits"):
        amount = validation.amount_microcredits(request.amount_microcredits)
    elif request.HasField("usage"):
        usage = usage_of_message(request.usage)
    else:
        raise invalid_field("cost", "amount_microcredits or usage is required")
    mode = _MODES.get(request.mode)
    if mode is None:
        raise invalid_field("mode", "is a value that this service does not know")
    description = validation.text("description", request.description) if request.description else ""
    metadata = validation.metadata_text(request.metadata) if request.metadata else ""
    spender_ids = validation.spenders(call.spender_ids, request.spender_ids)
    # Without spenders, the request means what it meant before there was the field.
    sent = (list(request.spender_ids),) if request.spender_ids else ()
    key = IdempotencyKey(
        account_id,
        validation.idempotency_key(request.idempotency_key),
        f"{caller}/DeductCredits",
        fingerprint(account_id, usage.meaning if usage else amount, mode.value, description, metadata, *sent),
        captured_by_key,
    )
    words = (caller, description, metadata)
    return Deduct(account_id, amount, mode, key, *words, _encode_deduction, usage, spender_ids=spender_ids)


def priced(operation: Deduct, cost: Cost, catalog: Catalog) -> Deduct:
    """The operation of a usage, given its cost. It is nobody's yet but the caller's."""
    if isinstance(cost, Refusal):
        operation.unpriced = cost
        return operation
    price = price_message(cost.price).SerializeToString()
    operation.amount = cost.price.amount_microcredits
    operation.encode_reply = partial(_encode_priced, PRICE_TAG + varint(len(price)) + price)
    operation.price_record = record = encode_price(cost)
    operation.advise = partial(advice_on, record, catalog)
    operation.usage = None
    return operation


class Deductions:
    """Begins deductions: unary, of a batch or of a stream."""

    def __init__(self, environment: Environment) -> None:
        self._writer = environment.writer
        self._cards = environment.rate_cards
        self._catalog = environment.catalog

    def begin(
        self, request: transactions_pb2.DeductCreditsRequest, call: Call
    ) -> asyncio.Future[Answer] | Late[Answer]:
        """Submits what a request asks for; late, where the rate card must be read first. Raises ACCOUNT_NOT_ALLOWED,
        INVALID_FIELD, SHUTTING_DOWN."""
        operation = deduction_of(request, call)
        if operation.usage is None:
            return self._writer.submit(operation)
        cost = price_at_hand(self._cards, operation.usage)
        if cost is None:
            return begin_late(self._submit_late(operation, operation.usage))
        return self._writer.submit(priced(operation, cost, self._catalog))

    async def _submit_late(self, operation: Deduct, usage: Usage) -> asyncio.Future[Answer]:
        cost = await price_usage(self._cards, usage)
        return self._writer.submit(priced(operation, cost, self._catalog))


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
