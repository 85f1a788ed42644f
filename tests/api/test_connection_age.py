"""Connections are made anew: what is in flight finishes on the old one, and no caller sees an error."""

import asyncio
import time

import pytest
from prepaid.billing.v1 import accounts_pb2

from billing_service.api.server import ServerLimits
from tests.api.edge_server import REQUEST, TIMEOUT_S, Gate, edge_server
from tests.support import http2

AGE_S = 1
"""gRPC spreads it by a tenth either way, so that not all callers come back at once."""

ENDED_WITHIN_S = 15
"""Ordinary connections live for minutes, those with certificates for 20 s."""


@pytest.fixture(autouse=True)
def _short_lives(monkeypatch):
    monkeypatch.setattr("billing_service.api.server.CONNECTION_AGE_MAX_S", AGE_S)


def lifetime_s(address):
    """How long a connection that does nothing is left alone before the server says goodbye."""
    host, port = address.split(":")
    begun = time.monotonic()
    connection = http2.Connection(host, int(port))
    try:
        while not connection.going_away:
            connection.receive()
    finally:
        connection.close()
    return time.monotonic() - begun


async def test_an_old_connection_is_ended():
    async with edge_server() as edge:
        assert 0.8 * AGE_S < await asyncio.to_thread(lifetime_s, edge.address) < ENDED_WITHIN_S


async def test_a_call_in_flight_outlives_its_connection_and_the_next_one_gets_another():
    gate = Gate()
    async with edge_server({"DeductCredits": gate}, limits=ServerLimits(grace_s=0.5)) as edge:
        held = asyncio.create_task(_answer(edge))
        await gate.entered.acquire()
        peers, deadline = set(), time.monotonic() + TIMEOUT_S
        while len(peers) < 2 and time.monotonic() < deadline:
            await edge.stub.GetAccount(accounts_pb2.GetAccountRequest(account_id="acct-1"), timeout=TIMEOUT_S)
            peers = {line["peer"] for line in edge.log.rpcs()}
        assert len(peers) == 2
        gate.open.set()
        assert (await held).transaction_id == "txn_1"
    assert gate.left == ["done"]


async def _answer(edge):
    return await edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S)
