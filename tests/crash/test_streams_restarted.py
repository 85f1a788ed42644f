"""A service that is killed, or stopped, in the middle of a stream: the client's stream goes on, and each deduction is
there once."""

import asyncio

import grpc
import pytest
from billing_client import AsyncBillingClient, Deduction
from prepaid.billing.v1.transactions_pb2 import DeductCreditsRequest, StreamDeductionsRequest

from tests.support.client_journal import CREDIT, grant, stored, verify
from tests.support.run_length import LONG
from tests.support.service_process import running_process

RESTARTS = 50 if LONG else 3
GIVEN = 10_000_000
ENDS = {"killed": "kill", "stopped": "stop"}
ANSWERED_WITHIN_S = 30.0


class Sender:
    """Sends on one stream until told to stop, and keeps each future by its key."""

    def __init__(self, stream):
        self.stream = stream
        self.sent = {}
        self.stopped = False

    async def run(self):
        while not self.stopped:
            deduction = Deduction(account_id="a", amount_microcredits=CREDIT)
            self.sent[deduction.idempotency_key] = await self.stream.send(deduction)

    async def goes_on(self):
        """Waits until what is sent from now on is answered."""
        before = len(self.sent)
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            # The other side is a process.
            while len(self.sent) <= before or not [*self.sent.values()][before].done():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def check(self, database):
        answered = {key: future.result().transaction_id for key, future in self.sent.items()}
        keys, deductions, balances = stored(database)
        assert {key for _, key, _ in keys if not key.startswith("g-")} == answered.keys()
        assert sorted(transaction_id for _, transaction_id, _ in deductions) == sorted(answered.values())
        assert balances["a"] == (GIVEN - len(answered)) * CREDIT


async def read_all(call):
    """How many answers came before the end, whatever it was."""
    count = 0
    try:
        while await call.read() is not grpc.aio.EOF:
            count += 1
    except grpc.aio.AioRpcError:
        return count
    return count


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.timeout(900 if LONG else 120)
async def test_a_stream_outlives_restarts_and_each_deduction_is_there_once(database, settings, forker, tmp_path, end):
    async with (
        running_process(forker, settings, tmp_path / "service.log") as service,
        AsyncBillingClient(service.address) as client,
    ):
        async with grpc.aio.insecure_channel(service.address) as channel:
            await grant(channel, "a", GIVEN)
        async with client.stream_deductions(timeout_s=ANSWERED_WITHIN_S) as stream:
            sender = Sender(stream)
            sending = asyncio.create_task(sender.run())
            for _ in range(RESTARTS):
                await sender.goes_on()
                assert stream.outstanding
                assert await getattr(service, ENDS[end])() in {0, None}
                await service.start()
            await sender.goes_on()
            sender.stopped = True
            await sending
        async with grpc.aio.insecure_channel(service.address) as channel:
            await verify(channel)
    sender.check(database)
    assert len(sender.sent) > 100 * RESTARTS


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_a_stop_answers_what_it_read_and_names_itself(database, settings, forker, tmp_path):
    """Without the client's stream between: what has an answer is stored, what is stored and has none is found by its
    key."""
    async with (
        running_process(forker, settings, tmp_path / "service.log") as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        await grant(channel, "a", GIVEN)
        path = "/prepaid.billing.v1.BillingService/StreamDeductions"
        call = channel.stream_stream(path, StreamDeductionsRequest.SerializeToString)()
        for number in range(200):
            deduction = DeductCreditsRequest(account_id="a", amount_microcredits=CREDIT, idempotency_key=f"s-{number}")
            await call.write(StreamDeductionsRequest(deduction=deduction))
        stopping = asyncio.create_task(service.stop())
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            answers, code, trailer = await read_all(call), await call.code(), await call.trailing_metadata()
        assert (code, "SHUTTING_DOWN" in str(trailer)) == (grpc.StatusCode.UNAVAILABLE, True)
        assert await stopping == 0
    keys, _, balances = stored(database)
    assert {key for _, key, _ in keys if key.startswith("s-")} == {f"s-{number}" for number in range(answers)}
    assert balances["a"] == (GIVEN - answers) * CREDIT
