"""BillingService, holds: unary calls, and reads."""

import asyncio

from prepaid.billing.v1 import transactions_pb2

from billing_service.api import validation
from billing_service.api.late import Late
from billing_service.api.page_tokens import decode_page_token, encode_page_token
from billing_service.api.pipeline import Call
from billing_service.api.requests import Replies
from billing_service.api.servicers.holds import (
    HOLD_ID_MAX,
    TimedReplies,
    account_of,
    extension_of,
    hold_message,
    release_of,
)
from billing_service.api.servicers.priced_holds import Begun, PricedHolds
from billing_service.commands.environment import Environment
from billing_service.commands.spending.read_holds import holds_of, one_hold
from billing_service.ledger.keys import Answer


class Holding:
    """Methods of BillingService."""

    def __init__(self, environment: Environment, priced: PricedHolds, page_token_secret: bytes) -> None:
        self._environment = environment
        self._writer = environment.writer
        self._priced = priced
        self._page_token_secret = page_token_secret
        self._held = TimedReplies(transactions_pb2.HoldCreditsResponse, environment.clock_us)
        self._extended = TimedReplies(transactions_pb2.ExtendHoldResponse, environment.clock_us)
        self._captured = Replies(transactions_pb2.CaptureHoldResponse)
        self._released = Replies(transactions_pb2.ReleaseHoldResponse)

    async def hold_credits(self, request: transactions_pb2.HoldCreditsRequest, call: Call) -> bytes:
        return self._held(await _answer(self._priced.hold(request, call)))

    async def capture_hold(self, request: transactions_pb2.CaptureHoldRequest, call: Call) -> bytes:
        return self._captured(await _answer(self._priced.capture(request, call)))

    async def release_hold(self, request: transactions_pb2.ReleaseHoldRequest, call: Call) -> bytes:
        return self._released(await self._writer.submit(release_of(request, call)))

    async def extend_hold(self, request: transactions_pb2.ExtendHoldRequest, call: Call) -> bytes:
        return self._extended(await self._writer.submit(extension_of(request, call)))

    async def get_hold(self, request: transactions_pb2.GetHoldRequest, call: Call) -> transactions_pb2.GetHoldResponse:
        account_id = account_of(request, call)
        hold_id = validation.identifier("hold_id", request.hold_id, HOLD_ID_MAX)
        hold = await one_hold(self._environment, account_id, hold_id)
        return transactions_pb2.GetHoldResponse(hold=hold_message(hold, account_id))

    async def list_holds(
        self, request: transactions_pb2.ListHoldsRequest, call: Call
    ) -> transactions_pb2.ListHoldsResponse:
        account_id = account_of(request, call)
        size = validation.page_size(request.page_size)
        binding = ("holds", account_id, int(request.open_only))
        secret, token = self._page_token_secret, request.page_token
        before = decode_page_token(secret, token, binding) if token else ""
        page = await holds_of(self._environment, account_id, before, size, open_only=request.open_only)
        return transactions_pb2.ListHoldsResponse(
            holds=[hold_message(hold, account_id) for hold in page.holds],
            next_page_token=encode_page_token(secret, page.next_before, binding) if page.next_before else "",
        )


def _answer(begun: Begun) -> "asyncio.Future[Answer]":
    return begun.answer if isinstance(begun, Late) else begun
