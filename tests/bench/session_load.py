"""Load generators for sessions: streams of MeterSession on one connection, each of one session.

`python -m tests.bench.session_load --port 50051 --streams 8 --in-flight 64` keeps so many ticks of each session without
an acknowledgement, as `stream_load` does with deductions. A call is a tick with its acknowledgement.

With `--until-stop` a call is a session. It ticks, one tick at a time, until it is told to stop, because its last tick
costs more than its account has. The latency is from sending that tick to the STOP. Then the session is closed as
REFUSED, which charges nothing, and the account's next session begins.
"""

import argparse
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from random import Random

from prepaid.billing.v1 import sessions_pb2, usage_pb2

from tests.bench import calls, load
from tests.bench.measured_part import MeasuredPart
from tests.bench.stream_load import OneStream
from tests.support import http2

METHOD = "MeterSession"
SLICE_MICROCREDITS = 1_000_000_000
TICKS_BEFORE_THE_LAST = 4
UNPAYABLE_TOKENS = 1_000_000_000
"""Written tokens that cost more than an account of the bench has."""

Request = sessions_pb2.MeterSessionRequest
Response = sessions_pb2.MeterSessionResponse


@dataclass(kw_only=True)
class SessionLoad:
    """What to send."""

    port: int
    host: str = "127.0.0.1"
    streams: int = 8
    in_flight: int = 64
    until_stop: bool = False
    warm_up_s: float = 0.5
    measured_s: float = 2.0
    seed: int | None = None


def _usage(written: int) -> usage_pb2.Usage:
    usage = usage_pb2.Usage()
    usage.CopyFrom(calls.USAGE)
    usage.lines[-1].quantity = written
    return usage


def _close(outcome: sessions_pb2.GenerationOutcome) -> Request:
    return Request(close=sessions_pb2.CloseSession(outcome=outcome, usage=calls.USAGE))


class Owner:
    """The owner of one session: what it says next follows from what it is told."""

    def __init__(self, measured: MeasuredPart, in_flight: int) -> None:
        self._measured = measured
        self._in_flight = in_flight
        self._sequence = self._acknowledged = 0
        self._sent_s: deque[float] = deque()

    def after(self, said: Response) -> list[Request]:
        """What it says after it was told something."""
        what = said.WhichOneof("response")
        if what == "acknowledged":
            self._acknowledged += 1
            if said.acknowledged.sequence != self._acknowledged:
                self._measured.fail("OUT_OF_ORDER")
        if what == "closed":
            self._check_closed(said.closed)
            return []
        return self._next(str(what))

    def _next(self, told: str) -> list[Request]:
        raise NotImplementedError

    def _check_closed(self, closed: sessions_pb2.SessionClosed) -> None:
        raise NotImplementedError

    def _tick(self, written: int) -> Request:
        self._sequence += 1
        self._sent_s.append(self._measured.now_s)
        return Request(tick=sessions_pb2.SessionTick(sequence=self._sequence, usage=_usage(written)))


class TickingOwner(Owner):
    """Keeps `in_flight` ticks without an acknowledgement until the load is over."""

    def _next(self, told: str) -> list[Request]:
        if told == "acknowledged":
            self._measured.succeed(self._sent_s.popleft())
        elif told == "stop":
            self._measured.fail("STOPPED")
        if not self._measured.is_over:
            return [self._tick(self._sequence + 1) for _ in range(self._in_flight - len(self._sent_s))]
        return [] if self._sent_s else [_close(sessions_pb2.GENERATION_OUTCOME_COMPLETE)]

    def _check_closed(self, closed: sessions_pb2.SessionClosed) -> None:
        if not closed.charged_microcredits:
            self._measured.fail("NOT_CHARGED")


class StoppedOwner(Owner):
    """Ticks until it is told to stop."""

    def _next(self, told: str) -> list[Request]:
        if told == "stop":
            if self._sequence > TICKS_BEFORE_THE_LAST:
                self._measured.succeed(self._sent_s[-1])
            else:
                self._measured.fail("STOPPED_EARLY")
            return [_close(sessions_pb2.GENERATION_OUTCOME_REFUSED)]
        if told == "low" or self._sequence > TICKS_BEFORE_THE_LAST:
            return []
        return [self._tick(1 if self._sequence < TICKS_BEFORE_THE_LAST else UNPAYABLE_TOKENS)]

    def _check_closed(self, closed: sessions_pb2.SessionClosed) -> None:
        if closed.charged_microcredits:
            self._measured.fail("CHARGED")


@dataclass
class _Live:
    """A stream with its owner, and what its window had no room for yet."""

    stream: OneStream
    account_id: str
    owner: Owner
    outgoing: deque[bytes]


class Sessions:
    """Keeps a number of sessions going, each on an account of its own."""

    def __init__(self, connection: http2.Connection, load_: SessionLoad) -> None:
        self._connection = connection
        self._load = load_
        self._keys: Iterator[bytes] = calls.time_ordered_keys(Random(load_.seed))
        self._block = http2.header_block(calls.request_headers(connection.authority, METHOD, None))
        self._measured = MeasuredPart(load_.warm_up_s, load_.measured_s)
        self._next_stream = 1
        self._live: dict[int, _Live] = {}

    def run(self) -> load.Outcome:
        """Until the time is over and every session is closed."""
        for index in range(self._load.streams):
            self._open(calls.account_id(index))
        while self._live:
            self._flush()
            frames = self._connection.receive()
            self._measured.move_on()
            for frame in frames:
                if frame.stream in self._live:
                    self._take(frame, self._live[frame.stream])
        return self._measured.outcome()

    def _open(self, account_id: str) -> None:
        number, self._next_stream = self._next_stream, self._next_stream + 2
        connection, owner = self._connection, StoppedOwner if self._load.until_stop else TickingOwner
        connection.stream_windows[number] = connection.stream_window_bytes
        connection.send(http2.frame(http2.HEADERS, http2.END_HEADERS, number, self._block))
        opening = sessions_pb2.OpenSession(
            account_id=account_id,
            estimate=calls.USAGE,
            slice_microcredits=SLICE_MICROCREDITS,
            idempotency_key=next(self._keys).decode(),
        )
        live = _Live(OneStream(number), account_id, owner(self._measured, self._load.in_flight), deque())
        live.outgoing.append(Request(open=opening).SerializeToString())
        self._live[number] = live

    def _flush(self) -> None:
        connection, parts = self._connection, []
        for number, live in self._live.items():
            while live.outgoing:
                message = calls.length_prefix(len(live.outgoing[0])) + live.outgoing[0]
                if len(message) > min(connection.stream_windows[number], connection.send_window_bytes):
                    break
                live.outgoing.popleft()
                connection.stream_windows[number] -= len(message)
                connection.send_window_bytes -= len(message)
                parts.append(http2.frame(http2.DATA, 0, number, message))
        if parts:
            connection.send(b"".join(parts))

    def _take(self, frame: http2.Frame, live: _Live) -> None:
        kind, flags, number, payload = frame
        if kind == http2.DATA:
            for message in live.stream.messages(payload):
                live.outgoing.extend(
                    request.SerializeToString() for request in live.owner.after(Response.FromString(message))
                )
            return
        if kind == http2.HEADERS and not flags & http2.END_STREAM:
            return
        status = "RST_STREAM" if kind == http2.RST_STREAM else http2.decode_block(payload).get("grpc-status", "absent")
        if status != load.GRPC_OK:
            self._measured.fail(f"GRPC_STATUS_{status}")
        del self._live[number]
        if self._load.until_stop and status == load.GRPC_OK and not self._measured.is_over:
            self._open(live.account_id)


def run(load_: SessionLoad) -> load.Outcome:
    """Connects, runs the load and disconnects. Raises OSError or http2.ProtocolError when the connection fails."""
    connection = http2.Connection(load_.host, load_.port)
    try:
        connection.await_settings()
        return Sessions(connection, load_).run()
    finally:
        connection.close()


def _arguments() -> SessionLoad:
    parser = argparse.ArgumentParser(description="Tick sessions and print what came back as JSON.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--streams", type=int, default=SessionLoad.streams, help="sessions at a time")
    parser.add_argument("--in-flight", type=int, default=SessionLoad.in_flight, help="ticks without acknowledgement")
    parser.add_argument("--until-stop", action="store_true", help="measure how soon a STOP comes")
    parser.add_argument("--warm-up-s", type=float, default=SessionLoad.warm_up_s)
    parser.add_argument("--measured-s", type=float, default=SessionLoad.measured_s)
    return SessionLoad(**vars(parser.parse_args()))


if __name__ == "__main__":
    print(json.dumps(asdict(run(_arguments()))))  # noqa: T201 - the result is the program's output
