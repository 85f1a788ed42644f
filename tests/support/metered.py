"""A session on a raw stream: what an owner says and is told, one message at a time."""

import asyncio

import grpc
from billing_client.error_details import billing_error
from prepaid.billing.v1 import sessions_pb2
from prepaid.billing.v1.sessions_pb2 import MeterSessionRequest, MeterSessionResponse

from tests.support.patience import PATIENCE_S
from tests.support.wire import METHODS, key

INPUT_PRICE, OUTPUT_PRICE = 143.75, 1150
"""Microcredits for one token of gpt-5, by the built-in card."""


def tokens(read=0, written=0, **fields):
    """A usage of gpt-5."""
    lines = [{"kind": 1, "quantity": read}, {"kind": 4, "quantity": written}]
    return {"provider": "openai", "model": "gpt-5", "lines": lines} | fields


def cost(read=0, written=0):
    """What `tokens` cost in microcredits."""
    return -int(-(read * INPUT_PRICE + written * OUTPUT_PRICE) // 1)


class EndedEarlyError(AssertionError):
    """The stream ended without what was waited for."""


class Metered:
    """One stream. `says` gives what the service says next."""

    def __init__(self, wire):
        method = METHODS["MeterSession"]
        rpc = wire.channel.stream_stream(
            f"/{method.containing_service.full_name}/{method.name}",
            MeterSessionRequest.SerializeToString,
            MeterSessionResponse.FromString,
        )
        self.call = rpc(metadata=wire._metadata)

    async def send(self, **request):
        await self.call.write(MeterSessionRequest(**request))

    async def says(self):
        """(what, message) of the next response; ("ended", None) after the last. Raises what ends the stream."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                answer = await self.call.read()
            except grpc.RpcError as failed:
                raise billing_error(failed, MeterSessionRequest()) from failed
        if answer is grpc.aio.EOF:
            code = await self.call.code()
            if code is not grpc.StatusCode.OK:
                failed = grpc.aio.AioRpcError(
                    code,
                    await self.call.initial_metadata(),
                    await self.call.trailing_metadata(),
                    await self.call.details(),
                )
                raise billing_error(failed, MeterSessionRequest())
            return "ended", None
        what = answer.WhichOneof("response")
        return what, getattr(answer, what)

    async def told(self, wanted):
        """The next response of a kind, and the kinds of those before it."""
        before = []
        while True:
            what, message = await self.says()
            if what == wanted:
                return message, before
            if what == "ended":
                raise EndedEarlyError(f"ended before {wanted}, after {before}")
            before.append(what)

    async def open(self, account_id, **fields):
        fields.setdefault("idempotency_key", key())
        if "estimate" not in fields:
            fields.setdefault("slice_microcredits", 1_000_000)
        await self.send(open=sessions_pb2.OpenSession(account_id=account_id, **fields))
        return (await self.told("opened"))[0]

    async def open_again(self, account_id, idempotency_key):
        """(what, message) of the first response to an opening that may be a repeat."""
        asked = sessions_pb2.OpenSession(
            account_id=account_id, idempotency_key=idempotency_key, slice_microcredits=1_000_000
        )
        await self.send(open=asked)
        return await self.says()

    async def resume(self, account_id, opened):
        await self.send(
            resume=sessions_pb2.ResumeSession(account_id=account_id, session_id=opened.session_id, token=opened.token)
        )
        return await self.says()

    async def tick(self, sequence, usage):
        """The acknowledgement."""
        await self.send(tick=sessions_pb2.SessionTick(sequence=sequence, usage=usage))
        return (await self.told("acknowledged"))[0]

    async def close(self, outcome="COMPLETE", usage=None):
        asked = sessions_pb2.CloseSession(outcome=f"GENERATION_OUTCOME_{outcome}", usage=usage)
        await self.send(close=asked)
        closed, _ = await self.told("closed")
        assert await self.says() == ("ended", None)
        return closed

    def cut(self):
        self.call.cancel()
