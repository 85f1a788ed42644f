"""Holds and captures of usage: priced before they are submitted. What is captured is priced by the card that its hold
was made by, which this process remembers of the holds that it made."""

import asyncio
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from typing import Final

from prepaid.billing.v1 import transactions_pb2

from billing_service.api.late import Late, begin_late
from billing_service.api.pipeline import Call
from billing_service.api.servicers.deductions import varint
from billing_service.api.servicers.holds import capture_of, hold_of
from billing_service.api.servicers.usage import price_message, unpriced_message
from billing_service.commands.environment import Environment
from billing_service.commands.spending.price_usage import Cost, price_at_hand, price_by_version, price_usage
from billing_service.commands.spending.read_holds import rate_card_version
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.captures import Captured
from billing_service.domain.spending.holds import HoldChanged
from billing_service.domain.spending.price_records import UnpricedUsage, encode_price
from billing_service.domain.spending.unpriced import UNPRICED, unpriced_by
from billing_service.domain.spending.usage import Usage
from billing_service.ledger.keys import Answer
from billing_service.ledger.operations.holds import CaptureHold, HoldCredits

VERSIONS_MAX: Final = 16_384
"""Holds whose cards are remembered. Others are read when they are captured."""
_HOLD_PRICE_TAG = bytes([transactions_pb2.HoldCreditsResponse.PRICE_FIELD_NUMBER << 3 | 2])
_CAPTURE_PRICE_TAG = bytes([transactions_pb2.CaptureHoldResponse.PRICE_FIELD_NUMBER << 3 | 2])

Begun = asyncio.Future[Answer] | Late[Answer]


class PricedHolds:
    """Begins holds and captures: unary, of a batch or of a stream."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._writer = environment.writer
        self._cards = environment.rate_cards
        self._versions: OrderedDict[str, str] = OrderedDict()
        """Of holds that were made here of usage, the card."""

    def hold(self, request: transactions_pb2.HoldCreditsRequest, call: Call) -> Begun:
        """Raises ACCOUNT_NOT_ALLOWED, INVALID_FIELD, SHUTTING_DOWN."""
        operation = hold_of(request, call)
        if operation.usage is None:
            return self._writer.submit(operation)
        cost = price_at_hand(self._cards, operation.usage)
        if cost is None:
            return begin_late(self._hold_late(operation, operation.usage))
        return self._writer.submit(self._held(operation, cost))

    async def _hold_late(self, operation: HoldCredits, usage: Usage) -> asyncio.Future[Answer]:
        return self._writer.submit(self._held(operation, await price_usage(self._cards, usage)))

    def _held(self, operation: HoldCredits, cost: Cost) -> HoldCredits:
        if isinstance(cost, Refusal):
            return replace(operation, unpriced=cost)
        asked, amount = operation.asked, cost.price.amount_microcredits
        terms = replace(
            asked,
            amount=amount,
            minimum=min(asked.minimum, amount),
            expiry_capture=min(asked.expiry_capture, amount),
            rate_card_version=cost.price.rate_card_version,
        )
        price = price_message(cost.price).SerializeToString()
        encode = partial(self._encode_held, operation, _HOLD_PRICE_TAG + varint(len(price)) + price)
        return replace(operation, asked=terms, encode_reply=encode)

    def _encode_held(self, operation: HoldCredits, price: bytes, changed: HoldChanged, shown: Balance) -> bytes:
        if len(self._versions) >= VERSIONS_MAX:
            self._versions.popitem(last=False)
        self._versions[changed.hold.hold_id] = changed.hold.rate_card_version
        return operation.encode_reply(changed, shown) + price

    def _version_here(self, hold_id: str) -> str | None:
        """The card of a hold, if this process made it of usage."""
        return self._versions.get(hold_id)

    def capture(self, request: transactions_pb2.CaptureHoldRequest, call: Call) -> Begun:
        """Raises ACCOUNT_NOT_ALLOWED, INVALID_FIELD, SHUTTING_DOWN."""
        operation = capture_of(request, call)
        if operation.usage is None:
            return self._writer.submit(operation)
        version = self._version_here(operation.hold_id)
        cost = None if version is None else price_at_hand(self._cards, operation.usage, version)
        if cost is None or _lacks_model(cost):
            return begin_late(self._capture_late(operation, operation.usage))
        return self._writer.submit(_captured(operation, cost))

    async def _capture_late(self, operation: CaptureHold, usage: Usage) -> asyncio.Future[Answer]:
        """A hold of another process, or of an amount; a card that must be read first; a model that the hold's card
        lacks, and the card in force may have."""
        version = self._version_here(operation.hold_id)
        if version is None:
            version = await rate_card_version(self._environment, operation.account_id, operation.hold_id)
        cost = await price_by_version(self._cards, usage, version) if version else await price_usage(self._cards, usage)
        if version and _lacks_model(cost):
            cost = await price_usage(self._cards, usage)
        return self._writer.submit(_captured(operation, cost))


def _lacks_model(cost: Cost) -> bool:
    return isinstance(cost, Refusal) and cost.reason is Reason.UNKNOWN_MODEL


def _captured(operation: CaptureHold, cost: Cost) -> CaptureHold:
    """A usage that happened is never refused for want of a price."""
    if isinstance(cost, Refusal):
        if cost.reason not in UNPRICED:
            raise cost
        assert operation.usage is not None, "what has no usage needs no price"
        unpriced = unpriced_by(operation.usage, cost)
        return replace(operation, unpriced=unpriced, encode_reply=partial(_encode_unpriced, operation, unpriced))
    price = price_message(cost.price).SerializeToString()
    return replace(
        operation,
        amount=cost.price.amount_microcredits,
        price_record=encode_price(cost),
        encode_reply=partial(_encode_captured, operation, _CAPTURE_PRICE_TAG + varint(len(price)) + price),
    )


def _encode_captured(operation: CaptureHold, more: bytes, captured: Captured, shown: Balance) -> bytes:
    """`more`: fields of the reply. They may be in any order."""
    return operation.encode_reply(captured, shown) + more


def _encode_unpriced(operation: CaptureHold, unpriced: UnpricedUsage, captured: Captured, shown: Balance) -> bytes:
    price = unpriced_message(unpriced, captured.amount + captured.uncollected)
    more = transactions_pb2.CaptureHoldResponse(price=price).SerializeToString()
    return operation.encode_reply(captured, shown) + more
