"""A load generator for unary calls that is not the bottleneck: a closed loop over one connection, in a process of its
own.

`python -m tests.bench.load --port 50051 --method DeductCredits --in-flight 64` prints one JSON object.
Every call has its own start and end. Answers that arrive in one read share its clock reading, so the generator's own
work between two reads is not counted as the server's.
"""

import argparse
import json
import struct
import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from random import Random

from tests.bench import calls
from tests.support import http2

GRPC_OK = "0"
ERROR_SAMPLES_MAX = 3
pack = struct.Struct(">I").pack


@dataclass(kw_only=True)
class Load:
    """What to send. With `call_count` the measured part is that many calls, else it lasts `measured_s`."""

    port: int
    method: str = "DeductCredits"
    host: str = "127.0.0.1"
    in_flight: int = 64
    accounts: int = 10_000
    priced: bool = False
    """Deductions are of a usage, and not of an amount."""
    limited: bool = False
    """Deductions are for spenders, on accounts with spend limits."""
    keys: str = "time-ordered"
    warm_up_s: float = 0.5
    measured_s: float = 2.0
    call_count: int | None = None
    authorization: str | None = None
    seed: int | None = None


@dataclass(kw_only=True)
class Outcome:
    """What came back. Latencies and rates are of successful calls in the measured part; `…_total` are of the whole
    run."""

    calls_per_second: float = 0.0
    items_per_second: float = 0.0
    """More than calls where a call carries more than one deduction."""
    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    measured_calls: int = 0
    measured_s: float = 0.0
    generator_cpu_share: float = 0.0
    succeeded_total: int = 0
    failed_total: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    error_samples: list[dict[str, str]] = field(default_factory=list)
    window_stalls: int = 0


class Replies:
    """Tells success from failure for each finished call, and remembers what the failures said."""

    def __init__(self, refused_items: Callable[[bytes], int] | None = None) -> None:
        """With `refused_items` each message is looked into: a call of which it finds any has failed."""
        self._refused_items = refused_items
        self._messages: dict[int, list[bytes]] = {}
        self.succeeded = 0
        self.errors: Counter[str] = Counter()
        self.samples: list[dict[str, str]] = []
        self._with_message: set[int] = set()
        self._ok_blocks: set[bytes] = set()

    def finished(self, frame: http2.Frame) -> bool | None:
        """None while the call goes on, then whether it succeeded: a message came and the status is OK."""
        kind, flags, stream, payload = frame
        if kind == http2.DATA:
            self._with_message.add(stream)
            if self._refused_items is not None:
                self._messages.setdefault(stream, []).append(payload)
            return self._failed("ENDED_WITHOUT_STATUS", {}) if flags & http2.END_STREAM else None
        if kind == http2.RST_STREAM:
            self._with_message.discard(stream)
            return self._failed(f"RST_STREAM_{int.from_bytes(payload, 'big')}", {})
        if not flags & http2.END_STREAM:
            return None
        has_message = stream in self._with_message
        self._with_message.discard(stream)
        if payload not in self._ok_blocks:
            headers = http2.decode_block(payload)
            status = headers.get("grpc-status", "absent")
            if status != GRPC_OK:
                return self._failed(f"GRPC_STATUS_{status}", headers)
            self._ok_blocks.add(payload)
        if not has_message:
            return self._failed("OK_WITHOUT_MESSAGE", {})
        if self._refused_items is not None and self._refused_items(
            b"".join(self._messages.pop(stream))[calls.PREFIX_BYTES :]
        ):
            return self._failed("REFUSED_ITEMS", {})
        self.succeeded += 1
        return True

    def _failed(self, what: str, headers: dict[str, str]) -> bool:
        self.errors[what] += 1
        if len(self.samples) < ERROR_SAMPLES_MAX:
            self.samples.append({"what": what, **headers})
        return False


class ClosedLoop:
    """Keeps a fixed number of calls in flight: each reply makes room for the next call."""

    def __init__(self, connection: http2.Connection, load: Load) -> None:
        random = Random(load.seed)
        self.replies = Replies(calls.refused_items if load.method in calls.ITEMS else None)
        self.window_stalls = 0
        self._connection = connection
        self._load = load
        encoder = calls.METHODS[load.method]
        kind = {"priced": load.priced, "limited": load.limited}
        self._encode = encoder(load.accounts, calls.KEYS[load.keys](random), random, **kind)
        block = http2.header_block(calls.request_headers(connection.authority, load.method, load.authorization))
        self._headers_start = http2.frame(http2.HEADERS, http2.END_HEADERS, 0, block)[:5]
        self._block = block
        self._next_stream = 1
        self._started: dict[int, float] = {}

    def run(self) -> Outcome:
        load, connection = self._load, self._connection
        latencies_s = array("d")
        finished = launched = 0
        measuring, begin_s, begin_cpu_s, end_s, end_cpu_s = False, 0.0, 0.0, 0.0, 0.0
        launch_limit: float = float("inf")
        warm_at_s = time.perf_counter() + load.warm_up_s
        now_s = time.perf_counter()
        while True:
            if not measuring and not end_s and now_s >= warm_at_s:
                measuring, begin_s, begin_cpu_s = True, now_s, time.process_time()
                if load.call_count is not None:
                    launch_limit = finished + load.call_count
            room = min(load.in_flight - len(self._started), launch_limit - launched)
            if not end_s and room > 0:
                launched += self._launch(int(room))
            if not self._started:
                break
            frames = connection.receive()
            now_s = time.perf_counter()
            for frame in frames:
                succeeded = self.replies.finished(frame) if frame.stream in self._started else None
                if succeeded is None:
                    continue
                finished += 1
                latency_s = now_s - self._started.pop(frame.stream)
                if measuring and succeeded:
                    latencies_s.append(latency_s)
            if measuring and (
                now_s - begin_s >= load.measured_s if load.call_count is None else finished >= launch_limit
            ):
                measuring, end_s, end_cpu_s = False, now_s, time.process_time()
        return self._outcome(latencies_s, end_s - begin_s, end_cpu_s - begin_cpu_s)

    def _launch(self, room: int) -> int:
        """Sends up to this many calls in one write, fewer when the server's window is short; answers how many."""
        connection, stream = self._connection, self._next_stream
        if connection.going_away:
            raise http2.ProtocolError("the server is going away")
        window_bytes, first = connection.send_window_bytes, stream
        parts: list[bytes] = []
        for _ in range(room):
            message = self._encode()
            if len(message) > window_bytes:
                self.window_stalls += 1
                break
            window_bytes -= len(message)
            stream_bytes = pack(stream)
            data_start = pack(len(message) << 8 | http2.DATA) + b"\x01"
            parts += (self._headers_start, stream_bytes, self._block, data_start, stream_bytes, message)
            stream += 2
        connection.send_window_bytes, self._next_stream = window_bytes, stream
        sent_s = time.perf_counter()
        self._started.update(dict.fromkeys(range(first, stream, 2), sent_s))
        connection.send(b"".join(parts))
        return (stream - first) // 2

    def _outcome(self, latencies_s: "array[float]", elapsed_s: float, cpu_s: float) -> Outcome:
        ordered = sorted(latencies_s)
        outcome = Outcome(
            measured_calls=len(ordered),
            measured_s=elapsed_s,
            succeeded_total=self.replies.succeeded,
            failed_total=self.replies.errors.total(),
            errors=dict(self.replies.errors),
            error_samples=self.replies.samples,
            window_stalls=self.window_stalls,
        )
        if elapsed_s > 0:
            outcome.calls_per_second = len(ordered) / elapsed_s
            outcome.items_per_second = outcome.calls_per_second * calls.ITEMS.get(self._load.method, 1)
            outcome.generator_cpu_share = cpu_s / elapsed_s
        if ordered:
            outcome.p50_ms, outcome.p99_ms = percentile(ordered, 0.50) * 1e3, percentile(ordered, 0.99) * 1e3
            outcome.max_ms = ordered[-1] * 1e3
        return outcome


def percentile(ordered: list[float], share: float) -> float:
    """The smallest value that this share (0 to 1) of the ordered values doesn't exceed: nearest rank."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def run(load: Load) -> Outcome:
    """Connects, runs the load and disconnects. Raises OSError or http2.ProtocolError when the connection fails."""
    connection = http2.Connection(load.host, load.port)
    try:
        connection.await_settings()
        if load.in_flight > connection.streams_max:
            raise http2.ProtocolError(
                f"the server allows {connection.streams_max} calls in flight, not {load.in_flight}"
            )
        return ClosedLoop(connection, load).run()
    finally:
        connection.close()


def _arguments() -> Load:
    parser = argparse.ArgumentParser(description="Send unary calls in a closed loop and print what came back as JSON.")
    parser.add_argument("--host", default=Load.host)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--method", choices=sorted(calls.METHODS), default=Load.method)
    parser.add_argument("--in-flight", type=int, default=Load.in_flight)
    parser.add_argument("--accounts", type=int, default=Load.accounts, help="1: one hot account")
    parser.add_argument("--priced", action="store_true", help="deduct what a usage costs")
    parser.add_argument("--limited", action="store_true", help="deduct for spenders, on accounts with spend limits")
    parser.add_argument("--keys", choices=sorted(calls.KEYS), default=Load.keys)
    parser.add_argument("--warm-up-s", type=float, default=Load.warm_up_s)
    parser.add_argument("--measured-s", type=float, default=Load.measured_s)
    parser.add_argument("--call-count", type=int, help="measure this many calls instead of a time")
    parser.add_argument("--authorization", help="value of the authorization metadata, such as 'Bearer …'")
    parser.add_argument("--seed", type=int, help="makes keys and order of accounts repeatable")
    return Load(**vars(parser.parse_args()))


if __name__ == "__main__":
    print(json.dumps(asdict(run(_arguments()))))  # noqa: T201 - the result is the program's output
