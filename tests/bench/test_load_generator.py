"""The load generator counts what really came back. No time is asserted here."""

import asyncio
import json
import socket
import struct
import sys
import threading
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import grpc.aio
import pytest
from prepaid.billing.v1 import billing_pb2_grpc

from tests.bench import calls, load
from tests.bench.noop_server import NoopService
from tests.support import http2

ROOT = Path(__file__).resolve().parents[2]


class Recorder(NoopService):
    """The no-op, which remembers its calls and refuses those that `refuses` picks by their number."""

    def __init__(self, refuses: Callable[[int], bool] = lambda _: False) -> None:
        super().__init__()
        self.requests: list[Any] = []
        self.metadata: list[dict[str, Any]] = []
        self._refuses = refuses

    async def DeductCredits(self, request: Any, context: Any) -> Any:  # noqa: N802 - the stub's name
        self.requests.append(request)
        if self._refuses(len(self.requests)):
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"too few credits for {request.account_id}")
        return await super().DeductCredits(request, context)

    async def GetBalance(self, request: Any, context: Any) -> Any:  # noqa: N802 - the stub's name
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        return await super().GetBalance(request, context)


@asynccontextmanager
async def serving(servicer: billing_pb2_grpc.BillingServiceServicer) -> AsyncIterator[int]:
    server = grpc.aio.server()
    billing_pb2_grpc.add_BillingServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(grace=None)


async def run(**options: Any) -> load.Outcome:
    return await asyncio.to_thread(load.run, load.Load(warm_up_s=0, seed=1, **options))


@pytest.mark.parametrize(
    ("refuses", "refused"),
    [
        (lambda _: True, 200),
        (lambda number: number % 4 == 0, 50),
        (lambda number: number == 200, 1),
        (lambda _: False, 0),
    ],
    ids=["all", "every fourth", "the last", "none"],
)
@pytest.mark.parametrize("in_flight", [1, 16])
async def test_refused_calls_are_counted_apart_from_the_successful(
    refuses: Callable[[int], bool], refused: int, in_flight: int
) -> None:
    recorder = Recorder(refuses)  # type: ignore[abstract]
    async with serving(recorder) as port:
        outcome = await run(port=port, call_count=200, in_flight=in_flight)
    assert len(recorder.requests) == 200
    assert (outcome.failed_total, outcome.succeeded_total) == (refused, 200 - refused)
    assert outcome.errors == ({"GRPC_STATUS_9": refused} if refused else {})
    assert outcome.measured_calls == 200 - refused
    assert (outcome.p50_ms is None) == (refused == 200)
    assert len(outcome.error_samples) == min(refused, load.ERROR_SAMPLES_MAX)
    for sample in outcome.error_samples:
        assert sample["grpc-message"].startswith("too few credits for bench-")


async def test_a_method_that_the_server_lacks_is_an_error() -> None:
    async with serving(billing_pb2_grpc.BillingServiceServicer()) as port:  # type: ignore[abstract]
        outcome = await run(port=port, call_count=5, in_flight=2)
    assert outcome.errors == {"GRPC_STATUS_12": 5}


async def test_the_replies_of_warm_up_and_of_the_last_calls_in_flight_are_counted_in_the_totals() -> None:
    recorder = Recorder()  # type: ignore[abstract]
    async with serving(recorder) as port:
        outcome = await asyncio.to_thread(load.run, load.Load(port=port, in_flight=8, warm_up_s=0.05, measured_s=0.1))
    assert outcome.succeeded_total == len(recorder.requests)
    assert 0 < outcome.measured_calls < outcome.succeeded_total


@pytest.mark.parametrize(("keys", "version"), [("time-ordered", 7), ("random", 4)])
async def test_each_deduction_is_a_whole_request_with_a_key_of_its_own(keys: str, version: int) -> None:
    recorder = Recorder()  # type: ignore[abstract]
    async with serving(recorder) as port:
        await run(port=port, call_count=300, in_flight=8, keys=keys, accounts=100)
    assert {request.amount_microcredits for request in recorder.requests} == {calls.AMOUNT_MICROCREDITS}
    assert Counter(request.account_id for request in recorder.requests) == {
        calls.account_id(index): 3 for index in range(100)
    }
    parsed = [uuid.UUID(request.idempotency_key) for request in recorder.requests]
    assert len(set(parsed)) == 300
    assert {(key.version, key.variant) for key in parsed} == {(version, uuid.RFC_4122)}
    assert [str(key) for key in parsed] == [request.idempotency_key for request in recorder.requests]


def test_time_ordered_keys_follow_the_clock() -> None:
    keys = calls.time_ordered_keys(Random(1))
    milliseconds = [uuid.UUID(next(keys).decode()).int >> 80 for _ in range(1_000)]
    assert all(earlier <= later for earlier, later in pairwise(milliseconds))


async def test_one_hot_account_reads_and_authorization() -> None:
    recorder = Recorder()  # type: ignore[abstract]
    async with serving(recorder) as port:
        outcome = await run(
            port=port, call_count=20, in_flight=4, accounts=1, method="GetBalance", authorization="Bearer of-the-test"
        )
    assert outcome.succeeded_total == 20
    assert {request.account_id for request in recorder.requests} == {calls.account_id(0)}
    assert {metadata["authorization"] for metadata in recorder.metadata} == {"Bearer of-the-test"}


async def test_the_command_prints_one_json_object() -> None:
    async with serving(NoopService()) as port:  # type: ignore[abstract]
        arguments = ("-m", "tests.bench.load", "--port", str(port), "--call-count", "10", "--warm-up-s", "0")
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert json.loads(output)["succeeded_total"] == 10


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, 1), (0.01, 1), (0.5, 50), (0.501, 51), (0.99, 99), (1.0, 100)],
)
def test_percentiles_are_of_the_nearest_rank(share: float, expected: int) -> None:
    assert load.percentile([float(value) for value in range(1, 101)], share) == expected


# What a gRPC server never does on demand, said by a scripted one.

OK = http2.header_block([("grpc-status", "0")])
SETTINGS = http2.frame(http2.SETTINGS, 0, 0, b"")
MESSAGE = http2.frame(http2.DATA, 0, 1, b"\0\0\0\0\0")


def trailers(stream: int) -> bytes:
    return http2.frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream, OK)


@contextmanager
def scripted(*answers: bytes) -> Iterator[tuple[int, bytearray]]:
    """Sends SETTINGS, then one answer after each read that carries a request, then closes. Yields its port and what it
    read."""
    seen = bytearray()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(SETTINGS)
            for answer in answers:
                before = seen.count(b"bench-")
                while seen.count(b"bench-") == before:
                    chunk = connection.recv(65_536)
                    if not chunk:
                        return
                    seen.extend(chunk)
                connection.sendall(answer)
            while chunk := connection.recv(65_536) if answers else b"":
                seen.extend(chunk)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], seen
        finally:
            thread.join()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (trailers(1), "OK_WITHOUT_MESSAGE"),
        (http2.frame(http2.RST_STREAM, 0, 1, struct.pack(">I", 8)), "RST_STREAM_8"),
        (MESSAGE + http2.frame(http2.RST_STREAM, 0, 1, struct.pack(">I", 2)), "RST_STREAM_2"),
        (http2.frame(http2.DATA, http2.END_STREAM, 1, b""), "ENDED_WITHOUT_STATUS"),
        (http2.frame(http2.HEADERS, 0x5, 1, http2.header_block([("content-type", "text/html")])), "GRPC_STATUS_absent"),
    ],
)
def test_an_answer_that_is_no_success_is_an_error(answer: bytes, error: str) -> None:
    with scripted(answer) as (port, _):
        outcome = load.run(load.Load(port=port, call_count=1, in_flight=1, warm_up_s=0))
    assert outcome.errors == {error: 1}
    assert outcome.succeeded_total == 0


@pytest.mark.parametrize(
    "answer",
    [
        http2.frame(http2.HEADERS, http2.END_STREAM, 1, OK),
        http2.frame(http2.DATA, http2.PADDED, 1, b"\0"),
        http2.frame(http2.CONTINUATION, http2.END_HEADERS, 1, OK),
        MESSAGE + trailers(1) + http2.frame(http2.GOAWAY, 0, 0, bytes(8)),
    ],
    ids=["header block in parts", "padding", "continuation", "goaway"],
)
def test_what_the_generator_does_not_understand_stops_it(answer: bytes) -> None:
    with scripted(answer) as (port, _), pytest.raises(http2.ProtocolError):
        load.run(load.Load(port=port, call_count=2, in_flight=1, warm_up_s=0))


def test_a_server_that_hangs_up_stops_it() -> None:
    with scripted() as (port, _), pytest.raises(ConnectionError):
        load.run(load.Load(port=port, call_count=1, in_flight=1, warm_up_s=0))


def test_pings_and_settings_are_answered() -> None:
    with scripted(http2.frame(http2.PING, 0, 0, b"are you?") + SETTINGS + MESSAGE + trailers(1)) as (port, seen):
        outcome = load.run(load.Load(port=port, call_count=1, in_flight=1, warm_up_s=0))
    assert outcome.succeeded_total == 1
    assert http2.frame(http2.PING, http2.ACK, 0, b"are you?") in seen
    assert seen.count(http2.frame(http2.SETTINGS, http2.ACK, 0, b"")) == 2


def test_a_frame_that_arrives_in_pieces_is_put_together() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = http2.Connection.__new__(http2.Connection)
        connection._socket, connection._rest, connection._received_bytes = ours, b"", 0
        pieces = [MESSAGE[:4], MESSAGE[4:11], MESSAGE[11:] + trailers(1)[:9], trailers(1)[9:]]
        received = []
        for piece in pieces:
            theirs.sendall(piece)
            received.append([(frame.kind, frame.stream, frame.payload) for frame in connection.receive()])
    assert received == [[], [], [(http2.DATA, 1, b"\0\0\0\0\0")], [(http2.HEADERS, 1, OK)]]


def test_calls_wait_for_the_server_s_window() -> None:
    message_bytes = len(calls.deduct_credits(1, calls.random_keys(Random(1)), Random(1))())
    room_for_one = http2.frame(http2.WINDOW_UPDATE, 0, 0, struct.pack(">I", message_bytes))
    answers = [
        MESSAGE[:5] + struct.pack(">I", stream) + MESSAGE[9:] + trailers(stream) + room_for_one for stream in (1, 3, 5)
    ]
    with scripted(*answers) as (port, seen):
        connection = http2.Connection("127.0.0.1", port)
        try:
            connection.await_settings()
            connection.send_window_bytes = message_bytes
            outcome = load.ClosedLoop(
                connection, load.Load(port=port, call_count=3, in_flight=2, warm_up_s=0, accounts=1)
            ).run()
        finally:
            connection.close()
    assert outcome.succeeded_total == seen.count(b"bench-") == 3
    assert outcome.window_stalls == 2
