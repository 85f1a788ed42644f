"""A stream of TailEvents, as a test reads it."""

import asyncio

import grpc
from billing_client.error_details import billing_error
from prepaid.billing.v1.events_pb2 import TailEventsRequest, TailEventsResponse

from tests.support.patience import PATIENCE_S
from tests.support.wire import METHODS


class Tail:
    """One consumer of the feed."""

    def __init__(self, wire, *, options=(), **fields):
        method = METHODS["TailEvents"]
        self.request = TailEventsRequest(**fields)
        self.position = ""
        self.call = wire.channel.unary_stream(
            f"/{method.containing_service.full_name}/{method.name}",
            TailEventsRequest.SerializeToString,
            TailEventsResponse.FromString,
        )(self.request, **dict(options))

    async def message(self):
        """The next message. Raises what ended the stream."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                message = await self.call.read()
                if message is grpc.aio.EOF:
                    code, details = await self.call.code(), await self.call.details()
                    raise grpc.aio.AioRpcError(
                        code, await self.call.initial_metadata(), await self.call.trailing_metadata(), details
                    )
        except grpc.RpcError as failed:
            raise billing_error(failed, self.request) from failed
        self.position = message.position
        return message

    async def next(self):
        """The next event."""
        while not (message := await self.message()).HasField("event"):
            pass
        return message.event

    def end(self):
        self.call.cancel()
