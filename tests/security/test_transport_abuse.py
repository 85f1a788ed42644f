"""Callers that misuse HTTP/2 against the real server: it stays small, becomes idle again, and serves the others
meanwhile."""

import asyncio
import gzip
import sqlite3
import struct
import time
from contextlib import asynccontextmanager, closing, suppress

import grpc
import pytest

from billing_service.api.message_sizes import RECEIVE_BYTES_MAX
from tests.security.every_rpc import call, valid_request
from tests.security.hostile_http2 import REFUSED_STREAM, HostileConnection, message, reset
from tests.support.http2 import CONTINUATION, DATA, HEADERS, PING, RST_STREAM, SETTINGS, decode_block, frame
from tests.support.patience import PATIENCE_S
from tests.support.process_cost import UNREADABLE, Cost
from tests.support.run_length import LONG
from tests.support.service_process import running_forker, running_process, service_settings

pytestmark = [
    pytest.mark.parametrize("store_name", ["sqlite"]),  # what is misused lies before any store
    pytest.mark.skipif(bool(UNREADABLE), reason=str(UNREADABLE)),
]


@pytest.fixture(scope="module")
def forker():
    """Of services with one heap: glibc's many, one for each thread, keep so much of a storm that a leak would not
    show."""
    with running_forker(MALLOC_ARENA_MAX="1") as started:
        yield started


RESETS = 1_000
ROUNDS = 30 if LONG else 3
DEDUCT = "/prepaid.billing.v1.BillingService/DeductCredits"
DEDUCTION = valid_request("DeductCredits", account_id="a", amount_microcredits=1)
BYSTANDER_S_MAX = 10.0
"""Milliseconds on a machine of its own. Whom the attack shuts out waits until it is over."""
ANSWERED_MIN = 20
GROWTH_KIB_MAX = 40_960
"""What allocators keep of a thousand calls at once: 24 MiB were seen, also after thirty times as many."""
BOMB_KIB_MAX = 10_240
ENHANCE_YOUR_CALM = 11


@asynccontextmanager
async def under_attack(forker, database, tmp_path, **settings):
    """A service, its cost, and a well-behaved caller beside the attack, whose every call must be answered, and soon."""
    worst_s, answered, over = 0.0, 0, asyncio.Event()

    async def stand_by(channel):
        nonlocal worst_s, answered
        while not over.is_set() or answered < ANSWERED_MIN:
            begun = time.monotonic()
            seen = await call(channel, "GetBalance", valid_request("GetBalance", account_id="a"))
            assert seen.code is grpc.StatusCode.OK, seen.everything
            worst_s, answered = max(worst_s, time.monotonic() - begun), answered + 1
            await asyncio.sleep(0)

    async with (
        running_process(forker, service_settings(database, **settings), tmp_path / "log") as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        granted = await call(
            channel, "GrantCredits", valid_request("GrantCredits", account_id="a", amount_microcredits=10**12)
        )
        assert granted.code is grpc.StatusCode.OK
        bystander = asyncio.create_task(stand_by(channel))
        try:
            yield service.address, Cost(service.pid)
        finally:
            over.set()
        await bystander
        assert worst_s < BYSTANDER_S_MAX
        assert "error" not in {
            line.partition('"level":"')[2].partition('"')[0] for line in (tmp_path / "log").read_text().splitlines()
        }


def open_and_reset(address, number, database):
    """A thousand streams of one connection, half of them reset with the frames that open them, half while they wait for
    a lock."""
    late = b""
    with (
        closing(sqlite3.connect(database.path, isolation_level=None)) as other,
        HostileConnection(address, DEDUCT) as attacker,
    ):
        other.execute("BEGIN IMMEDIATE")
        block = attacker.headers()
        for each in range(RESETS):
            DEDUCTION.idempotency_key = f"reset-{number}-{each}"
            stream, frames = attacker.opened(block, message(DEDUCTION.SerializeToString()))
            attacker.send(frames + (reset(stream) if each % 2 else b""))
            late += b"" if each % 2 else reset(stream)
        attacker.overhear(0.1)
        attacker.send(late)
        attacker.overhear(0.1)
        other.execute("ROLLBACK")


async def test_streams_opened_and_reset_leave_nothing_behind(forker, database, tmp_path):
    async with under_attack(forker, database, tmp_path, BILLING_IN_FLIGHT_MAX="600") as (address, cost):
        await asyncio.to_thread(open_and_reset, address, 0, database)
        before_kib = cost.resident_kib()
        for number in range(1, ROUNDS + 1):
            await asyncio.to_thread(open_and_reset, address, number, database)
        assert cost.resident_kib() - before_kib < GROWTH_KIB_MAX


async def test_the_processor_rests_again(forker, database, tmp_path):
    async with running_process(forker, service_settings(database), tmp_path / "log") as service:
        cost = Cost(service.pid)
        await asyncio.to_thread(open_and_reset, service.address, 0, database)
        async with asyncio.timeout(PATIENCE_S):
            while await asyncio.to_thread(cost.busy_share, 0.25) > 0.1:
                pass


async def test_a_flood_of_pings_ends_the_connection(forker, database, tmp_path):
    def flood(address):
        with HostileConnection(address, DEDUCT) as attacker:
            with suppress(ConnectionError):  # it may be ended before the flood is
                for number in range(RESETS):
                    attacker.send(frame(PING, 0, 0, struct.pack(">Q", number)))
            attacker.overhear(5)
            return attacker.goaway

    async with under_attack(forker, database, tmp_path) as (address, _cost):
        assert await asyncio.to_thread(flood, address) == (ENHANCE_YOUR_CALM, b"too_many_pings")


@pytest.mark.parametrize("kind", ["settings", "continuation", "empty data"])
async def test_frames_without_end_fill_no_memory(forker, database, tmp_path, kind):
    def flood(address):
        with HostileConnection(address, DEDUCT) as attacker:
            _stream, frames = attacker.opened(attacker.headers(), message(b"", announced=100), ends=False)
            attacker.send(
                {"settings": b"", "continuation": frame(HEADERS, 0, 1, attacker.headers()), "empty data": frames}[kind]
            )
            once = {
                "settings": frame(SETTINGS, 0, 0, b""),
                "continuation": frame(CONTINUATION, 0, 1, b"\x00\x03abc\x7f\x80\x7e" + b"x" * 16_000),
                "empty data": frame(DATA, 0, 1, b""),
            }[kind]
            with suppress(ConnectionError):  # to be cut is so much the better
                for _ in range(200):
                    attacker.send(once * (10 if kind == "continuation" else 100))
            attacker.overhear(0.2)

    async with under_attack(forker, database, tmp_path) as (address, cost):
        await asyncio.to_thread(flood, address)  # allocators keep what the largest needed: 11 MiB were seen
        before_kib = cost.resident_kib()
        await asyncio.to_thread(flood, address)
        assert cost.resident_kib() - before_kib < BOMB_KIB_MAX


def answer_to(address, payload, *more):
    """(status, its words) of one call that sends this and no more."""
    with HostileConnection(address, DEDUCT) as attacker:
        _stream, frames = attacker.opened(attacker.headers(*more), payload, ends=False)
        attacker.send(frames)
        (answer,) = [
            decode_block(heard.payload) for heard in attacker.overhear(5, frames_max=1) if heard.kind == HEADERS
        ]
    return answer["grpc-status"], answer["grpc-message"]


async def test_large_messages_are_refused_before_they_come(forker, database, tmp_path):
    async with under_attack(forker, database, tmp_path) as (address, cost):
        cost.forget_peak()
        before_kib = cost.resident_kib(peak=True)
        for length in (RECEIVE_BYTES_MAX + 1, 2**31, 2**32 - 1):
            status, words = await asyncio.to_thread(answer_to, address, message(b"x", announced=length))
            assert (status, "larger than max" in words) == ("8", True)
        bomb = gzip.compress(bytes(64 << 20), 9)
        status, words = await asyncio.to_thread(
            answer_to, address, message(bomb, compressed=True), ("grpc-encoding", "gzip")
        )
        assert (status, "larger than max" in words) == ("8", True)
        assert cost.resident_kib(peak=True) - before_kib < BOMB_KIB_MAX


async def test_streams_past_the_limit_of_a_connection_are_refused(forker, database, tmp_path):
    def open_many(address):
        with HostileConnection(address, DEDUCT) as attacker:
            block = attacker.headers()
            attacker.send(
                b"".join(attacker.opened(block, message(b"", announced=9), ends=False)[1] for _ in range(200))
            )
            heard = attacker.overhear(1, frames_max=150)
        return attacker.streams_max, sum(each.kind == RST_STREAM and each.payload == REFUSED_STREAM for each in heard)

    async with under_attack(forker, database, tmp_path, BILLING_STREAMS_PER_CONNECTION_MAX="50") as (address, _cost):
        assert await asyncio.to_thread(open_many, address) == (50, 150)
