"""A load generator for StreamDeductions that is not the bottleneck: some streams on one connection, each kept full of
requests.

`python -m tests.bench.stream_load --port 50051 --streams 8 --in-flight 64` prints one JSON object, as `load` does; a
call is a request with its answer. Each stream keeps `in_flight` requests without an answer; each answer makes room for
the next request.
"""

import argparse
import json
import time
from array import array
from collections import deque
from dataclasses import asdict, dataclass
from random import Random

from prepaid.billing.v1 import transactions_pb2

from tests.bench import calls, load
from tests.support import http2

METHOD = "StreamDeductions"


@dataclass(kw_only=True)
class StreamLoad:
    """What to send."""

    port: int
    host: str = "127.0.0.1"
    streams: int = 8
    in_flight: int = 64
    accounts: int = 10_000
    keys: str = "time-ordered"
    warm_up_s: float = 0.5
    measured_s: float = 2.0
    authorization: str | None = None
    seed: int | None = None


class OneStream:
    """One stream: when its unanswered requests were sent, what has arrived of the next answer, and whether it ended
    well."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.sent_s: deque[float] = deque()
        self.answered = 0
        self.ended = False
        self._rest = b""

    def messages(self, payload: bytes) -> list[bytes]:
        """The answers that are complete with these bytes."""
        buffer, at, found = self._rest + payload, 0, []
        while at + calls.PREFIX_BYTES <= len(buffer):
            end = at + calls.PREFIX_BYTES + int.from_bytes(buffer[at + 1 : at + calls.PREFIX_BYTES], "big")
            if end > len(buffer):
                break
            found.append(buffer[at + calls.PREFIX_BYTES : end])
            at = end
        self._rest = buffer[at:]
        return found


class FullStreams:
    """Keeps all streams full until the time is over, then half-closes them and waits for what is due."""

    def __init__(self, connection: http2.Connection, load_: StreamLoad) -> None:
        random = Random(load_.seed)
        self._connection = connection
        self._load = load_
        self._encode = calls.stream_deductions(load_.accounts, calls.KEYS[load_.keys](random), random)
        self._waiting: bytes | None = None
        self._streams = {number: OneStream(number) for number in range(1, 2 * load_.streams, 2)}
        self.outcome = load.Outcome()

    def run(self) -> load.Outcome:
        load_, connection = self._load, self._connection
        block = http2.header_block(calls.request_headers(connection.authority, METHOD, load_.authorization))
        for number in self._streams:
            connection.stream_windows[number] = connection.stream_window_bytes
        connection.send(
            b"".join(http2.frame(http2.HEADERS, http2.END_HEADERS, number, block) for number in self._streams)
        )
        latencies_s = array("d")
        begin_s = begin_cpu_s = elapsed_s = cpu_s = 0.0
        measuring = closed = False
        warm_at_s = time.perf_counter() + load_.warm_up_s
        while not all(stream.ended for stream in self._streams.values()):
            if not closed:
                self._fill()
            frames = connection.receive()
            now_s = time.perf_counter()
            for frame in frames:
                self._take(frame, now_s, latencies_s if measuring else None)
            if not measuring and not closed and now_s >= warm_at_s:
                measuring, begin_s, begin_cpu_s = True, now_s, time.process_time()
            elif measuring and now_s - begin_s >= load_.measured_s:
                measuring, closed = False, True
                elapsed_s, cpu_s = now_s - begin_s, time.process_time() - begin_cpu_s
                connection.send(
                    b"".join(
                        http2.frame(http2.DATA, http2.END_STREAM, number, b"")
                        for number in self._streams
                        if not self._streams[number].ended
                    )
                )
        return self._summed(sorted(latencies_s), elapsed_s, cpu_s)

    def _fill(self) -> None:
        """Sends as many requests as there is room for on each stream and in HTTP/2's windows, in one write."""
        connection, parts, now_s = self._connection, [], time.perf_counter()
        for number, stream in self._streams.items():
            while not stream.ended and len(stream.sent_s) < self._load.in_flight:
                message = self._waiting or self._encode()
                if len(message) > min(connection.stream_windows[number], connection.send_window_bytes):
                    self._waiting = message
                    self.outcome.window_stalls += 1
                    break
                self._waiting = None
                connection.stream_windows[number] -= len(message)
                connection.send_window_bytes -= len(message)
                stream.sent_s.append(now_s)
                parts.append(http2.frame(http2.DATA, 0, number, message))
        if parts:
            connection.send(b"".join(parts))

    def _take(self, frame: http2.Frame, now_s: float, latencies_s: "array[float] | None") -> None:
        kind, flags, number, payload = frame
        stream = self._streams[number]
        if kind == http2.DATA:
            for message in stream.messages(payload):
                self._answered(stream, message, now_s, latencies_s)
        elif stream.ended:
            return  # an RST_STREAM without an error follows the status of a stream that was not half-closed
        elif kind == http2.RST_STREAM:
            self._failed(f"RST_STREAM_{int.from_bytes(payload, 'big')}")
            stream.ended = True
        elif flags & http2.END_STREAM:
            status = http2.decode_block(payload).get("grpc-status", "absent")
            if status != load.GRPC_OK or stream.sent_s:
                self._failed(f"GRPC_STATUS_{status}_WITH_{len(stream.sent_s)}_UNANSWERED")
            stream.ended = True

    def _answered(self, stream: OneStream, message: bytes, now_s: float, latencies_s: "array[float] | None") -> None:
        answer = transactions_pb2.StreamDeductionsResponse.FromString(message)
        stream.answered += 1
        sent_s = stream.sent_s.popleft()
        if answer.sequence != stream.answered or not answer.outcome.HasField("deducted"):
            self._failed("REFUSED" if answer.sequence == stream.answered else "OUT_OF_ORDER")
            return
        self.outcome.succeeded_total += 1
        if latencies_s is not None:
            latencies_s.append(now_s - sent_s)

    def _failed(self, what: str) -> None:
        self.outcome.failed_total += 1
        self.outcome.errors[what] = self.outcome.errors.get(what, 0) + 1

    def _summed(self, ordered: list[float], elapsed_s: float, cpu_s: float) -> load.Outcome:
        outcome = self.outcome
        outcome.measured_calls, outcome.measured_s = len(ordered), elapsed_s
        if elapsed_s > 0:
            outcome.calls_per_second = outcome.items_per_second = len(ordered) / elapsed_s
            outcome.generator_cpu_share = cpu_s / elapsed_s
        if ordered:
            outcome.p50_ms, outcome.p99_ms = load.percentile(ordered, 0.50) * 1e3, load.percentile(ordered, 0.99) * 1e3
            outcome.max_ms = ordered[-1] * 1e3
        return outcome


def run(load_: StreamLoad) -> load.Outcome:
    """Connects, runs the load and disconnects. Raises OSError or http2.ProtocolError when the connection fails."""
    connection = http2.Connection(load_.host, load_.port)
    try:
        connection.await_settings()
        return FullStreams(connection, load_).run()
    finally:
        connection.close()


def _arguments() -> StreamLoad:
    parser = argparse.ArgumentParser(description="Keep streams of deductions full and print what came back as JSON.")
    parser.add_argument("--host", default=StreamLoad.host)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--streams", type=int, default=StreamLoad.streams)
    parser.add_argument(
        "--in-flight", type=int, default=StreamLoad.in_flight, help="requests of each stream without an answer"
    )
    parser.add_argument("--accounts", type=int, default=StreamLoad.accounts, help="1: one hot account")
    parser.add_argument("--keys", choices=sorted(calls.KEYS), default=StreamLoad.keys)
    parser.add_argument("--warm-up-s", type=float, default=StreamLoad.warm_up_s)
    parser.add_argument("--measured-s", type=float, default=StreamLoad.measured_s)
    parser.add_argument("--authorization", help="value of the authorization metadata, such as 'Bearer …'")
    parser.add_argument("--seed", type=int, help="makes keys and order of accounts repeatable")
    return StreamLoad(**vars(parser.parse_args()))


if __name__ == "__main__":
    print(json.dumps(asdict(run(_arguments()))))  # noqa: T201 - the result is the program's output
