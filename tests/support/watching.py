"""A stream of WatchBalance, as a test reads it."""

import asyncio

import grpc
from billing_client.error_details import billing_error
from prepaid.billing.v1.accounts_pb2 import WatchBalanceRequest, WatchBalanceResponse

from tests.support.patience import PATIENCE_S
from tests.support.wire import METHODS


class Watch:
    """One watcher of one account."""

    def __init__(self, wire, account_id, after_version=0, **options):
        method = METHODS["WatchBalance"]
        self.call = wire.channel.unary_stream(
            f"/{method.containing_service.full_name}/{method.name}",
            WatchBalanceRequest.SerializeToString,
            WatchBalanceResponse.FromString,
        )(WatchBalanceRequest(account_id=account_id, after_version=after_version), **options)

    async def next(self):
        """The next balance. Raises what ended the stream."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                message = await self.call.read()
                if message is grpc.aio.EOF:
                    code, details = await self.call.code(), await self.call.details()
                    raise grpc.aio.AioRpcError(
                        code, await self.call.initial_metadata(), await self.call.trailing_metadata(), details
                    )
        except grpc.RpcError as failed:
            raise billing_error(failed, WatchBalanceRequest()) from failed
        return message.balance

    def end(self):
        self.call.cancel()
