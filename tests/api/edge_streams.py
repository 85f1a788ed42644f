"""Streams to a server at the edge, and an implementation whose answers the test gives."""

import asyncio

import grpc
from prepaid.billing.v1 import transactions_pb2

from billing_service.api.streams.streaming import StreamImplementation
from tests.api.edge_server import BILLING, TIMEOUT_S, streamed, told

PATH = "/prepaid.billing.v1.BillingService/StreamDeductions"
LABELS = {"grpc_service": BILLING.full_name, "grpc_method": "StreamDeductions"}


def request(account_id):
    deduction = transactions_pb2.DeductCreditsRequest(account_id=str(account_id))
    return transactions_pb2.StreamDeductionsRequest(deduction=deduction)


class Held:
    """Begins each request with a future that the test answers, or that is answered `at_once`."""

    def __init__(self) -> None:
        self.at_once = False
        self.begun: list[asyncio.Future] = []
        self.implementation = StreamImplementation(self._begin, streamed)

    def _begin(self, request, _call):
        future = asyncio.get_running_loop().create_future()
        future.account_id = request.deduction.account_id
        self.begun.append(future)
        if self.at_once:
            future.set_result(future.account_id)
        return future

    def answer(self, *numbers) -> None:
        for number in numbers or range(len(self.begun)):
            if not self.begun[number].done():
                self.begun[number].set_result(self.begun[number].account_id)


async def send(call, *accounts) -> None:
    for account_id in accounts:
        await call.write(request(account_id))


async def answers(call, count) -> list[str]:
    """The accounts that the next answers tell; each carries the number after the one before."""
    read = [await asyncio.wait_for(call.read(), TIMEOUT_S) for _ in range(count)]
    call.sequence = getattr(call, "sequence", 0)
    for answer in read:
        call.sequence += 1
        assert answer.sequence == call.sequence
    return [answer.outcome.deducted.transaction_id for answer in read]


async def end_of(call) -> grpc.StatusCode:
    try:
        assert await asyncio.wait_for(call.read(), TIMEOUT_S) is grpc.aio.EOF
    except grpc.aio.AioRpcError as error:
        return told(error)
    return await call.code()
