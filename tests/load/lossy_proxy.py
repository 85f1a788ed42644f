"""Stands between clients and the service, and loses what passes: requests before they arrive, replies after their
effect."""

import asyncio
import random
from collections import Counter
from contextlib import asynccontextmanager
from functools import partial

import grpc
from prepaid.billing.v1 import transactions_pb2


class LossyProxy(grpc.GenericRpcHandler):
    """Forwards bytes. What is lost shows as a broken connection, or as nothing at all until the caller's deadline."""

    def __init__(self, channel, seed, *, requests_lost, replies_lost, silent):
        self._channel = channel
        self._chance = random.Random(seed)
        self._requests_lost = requests_lost
        self._replies_lost = replies_lost
        self._silent = silent
        self.fates = Counter()
        self.attempts = Counter()
        """By idempotency key."""
        self.requests = {}
        """What was sent first with each key; every later attempt must be the same."""

    def service(self, handler_call_details):
        return grpc.unary_unary_rpc_method_handler(partial(self._pass, handler_call_details.method))

    async def _pass(self, method, raw, context):
        key = transactions_pb2.DeductCreditsRequest.FromString(raw).idempotency_key
        self.attempts[key] += 1
        assert self.requests.setdefault(key, raw) == raw, "another request with the same key"
        if self._chance.random() < self._requests_lost:
            await self._lose("request", context)
        try:
            answer = await self._channel.unary_unary(method)(raw, timeout=context.time_remaining())
        except grpc.aio.AioRpcError as error:
            self.fates[error.code().name] += 1
            await context.abort(error.code(), error.details(), tuple(error.trailing_metadata()))
        if self._chance.random() < self._replies_lost:
            await self._lose("reply", context)
        self.fates["passed"] += 1
        return answer

    async def _lose(self, what, context):
        if self._chance.random() < self._silent:
            self.fates[f"{what} lost in silence"] += 1
            await asyncio.get_running_loop().create_future()
        self.fates[f"{what} lost"] += 1
        await context.abort(grpc.StatusCode.UNAVAILABLE, f"the {what} was lost")


@asynccontextmanager
async def running_proxy(address, seed, **losses):
    """A proxy to the service at `address`; yields it and its own address."""
    async with grpc.aio.insecure_channel(address) as channel:
        proxy = LossyProxy(channel, seed, **losses)
        server = grpc.aio.server(handlers=(proxy,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield proxy, f"127.0.0.1:{port}"
        finally:
            await server.stop(None)
