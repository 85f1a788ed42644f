"""`meter_session` of both Python clients: refusals first, then a call, a call that breaks, and the end of the money."""

import asyncio

import grpc
import pytest
from billing_client import BillingClient, GenerationOutcome, Usage
from billing_client.errors import InsufficientCredits, InvalidField, SessionTakenOver
from google.protobuf.json_format import ParseDict
from prepaid.billing.v1 import sessions_pb2

from tests.end_to_end.test_batches_of_deductions import left, rich
from tests.support.metered import cost, tokens
from tests.support.stack import CREDIT

pytestmark = pytest.mark.asyncio(loop_scope="session")


def usage(read=0, written=0):
    return ParseDict(tokens(read, written), Usage())


class ModelFailedError(Exception):
    """What breaks a call in the middle."""


async def test_what_is_refused_is_raised_where_the_session_opens(stack, wire, new_account):
    poor = await rich(wire, new_account(), 1)
    with pytest.raises(InsufficientCredits):
        async with stack.client.meter_session(account_id=poor, estimate=usage(10_000, 1)):
            pass
    with pytest.raises(InvalidField):
        async with stack.client.meter_session(account_id=poor):
            pass

    def blocking():
        with (
            BillingClient(stack.service.address) as client,
            pytest.raises(InsufficientCredits),
            client.meter_session(account_id=poor, estimate=usage(10_000, 1)),
        ):
            pass

    await asyncio.to_thread(blocking)


async def test_a_second_owner_ends_the_first(stack, wire, new_account):
    asked = {"account_id": await rich(wire, new_account()), "slice_microcredits": CREDIT, "idempotency_key": "one-call"}
    async with stack.client.meter_session(**asked) as first:
        await first.tick(usage(10))
        await first.flush()
        async with stack.client.meter_session(**asked) as second:
            assert second.session_id == first.session_id
            await second.tick(usage(20))
            await second.flush()
            with pytest.raises(SessionTakenOver, match="MeterSession") as refused:
                await first.close()
            assert refused.value.idempotency_key == "one-call"
            assert (await second.close()).charged_microcredits == cost(20)


class Breaking:
    """A stream whose connection breaks when it has carried so many answers: the next one is lost."""

    def __init__(self, call, answers):
        self._call, self._left = call, answers

    def __getattr__(self, name):
        return getattr(self._call, name)

    async def read(self):
        answer = await self._call.read()
        self._left -= 1
        if self._left < 0:
            self._call.cancel()
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, "the connection broke")
        return answer


@pytest.mark.parametrize("carried", [(2, 0), (2, 0, 0), (0,), (1, 0, 0)])
async def test_a_session_goes_on_though_answers_to_resumptions_are_lost(stack, wire, new_account, carried):
    """With the answer the newest token is lost. The opening is repeated then, as it is where its own answer is lost."""
    account_id = await rich(wire, new_account())
    session = stack.client.meter_session(account_id=account_id, slice_microcredits=CREDIT)
    connect, answers = session._open_call, list(carried)

    async def breaking():
        call = await connect()
        return Breaking(call, answers.pop(0)) if answers else call

    session._open_call = breaking
    async with session:
        for written in (10, 20, 30):
            await session.tick(usage(100, written))
            await session.flush()
        closed = await session.close(usage=usage(100, 40))
    assert answers == []
    assert closed.charged_microcredits == cost(100, 40)
    assert await left(wire, account_id) == 1_000 * CREDIT - cost(100, 40)


async def test_a_call_and_what_is_left_of_the_account(stack, wire, new_account):
    account_id = await rich(wire, new_account())
    async with stack.client.meter_session(account_id=account_id, estimate=usage(100, 50)) as session:
        for written in (10, 20, 30):
            await session.tick(usage(100, written))
        await session.flush()
        assert session.acknowledged_sequence == 3
        assert session.charged_microcredits == cost(100, 30)
        assert session.left_microcredits == 1_000 * CREDIT - cost(100, 30)
        assert not session.must_stop
        closed = await session.close(usage=usage(100, 40))
        assert await session.close() == closed
    assert closed.charged_microcredits == cost(100, 40)
    receipt = await stack.client.get_receipt(account_id=account_id, transaction_id=closed.transaction_id)
    assert receipt.receipt.price == closed.price
    assert await left(wire, account_id) == 1_000 * CREDIT - cost(100, 40)


@pytest.mark.parametrize("breaks", [True, False])
async def test_what_is_not_closed_is_charged_as_it_was_acknowledged(stack, wire, new_account, breaks):
    account_id = await rich(wire, new_account())
    try:
        async with stack.client.meter_session(account_id=account_id, slice_microcredits=CREDIT) as session:
            await session.tick(usage(100, 50))
            await session.flush()
            if breaks:
                raise ModelFailedError  # noqa: TRY301 - the model's, in the middle of the call
    except ModelFailedError:
        assert breaks
    assert await left(wire, account_id) == 1_000 * CREDIT - cost(100, 50)


async def test_the_blocking_client_streams_until_the_money_ends(stack, wire, new_account):
    account_id = await rich(wire, new_account(), 2)

    def blocking():
        with (
            BillingClient(stack.service.address) as client,
            client.meter_session(account_id=account_id, slice_microcredits=CREDIT // 2) as session,
        ):
            written = 0
            while not session.must_stop:
                written += 100
                session.tick(usage(0, written))
                session.flush()
            assert session.is_low
            assert session.stop_reason == sessions_pb2.STOP_REASON_CREDITS_EXHAUSTED
            return session.close(GenerationOutcome.GENERATION_OUTCOME_CANCELED, usage(0, written)), written

    closed, written = await asyncio.to_thread(blocking)
    assert closed.charged_microcredits == 2 * CREDIT
    assert closed.uncollected_microcredits == cost(0, written) - 2 * CREDIT
    assert closed.measurement == 2
    assert await left(wire, account_id) == 0
