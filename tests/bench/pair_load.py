"""A load generator for holds and their captures: pairs in a closed loop over one connection.

`python -m tests.bench.pair_load --port 50051 --in-flight 64` prints one JSON object, as `load` does; a call is a pair.
Each pair reserves twice what it uses, captures that, and so gives the rest back. Its latency is that of both calls.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from random import Random
from typing import NamedTuple

from prepaid.billing.v1 import transactions_pb2

from tests.bench import calls, load
from tests.bench.measured_part import MeasuredPart
from tests.support import http2

HOLD, CAPTURE = "HoldCredits", "CaptureHold"
_AMOUNT = calls.AMOUNT_MICROCREDITS


class Sent(NamedTuple):
    """A call of a pair."""

    account_id: str
    captures: bool
    pair_sent_s: float


class Pairs:
    """Keeps a fixed number of pairs going: a hold's reply is followed by its capture, and that by the next hold."""

    def __init__(self, connection: http2.Connection, chosen: load.Load) -> None:
        random = Random(chosen.seed)
        self._connection = connection
        self._in_flight = chosen.in_flight
        self._keys: Iterator[bytes] = calls.KEYS[chosen.keys](random)
        self._accounts = calls.shuffled_accounts(chosen.accounts, random)
        self._replies = load.Replies()
        self._blocks = {
            method: http2.header_block(calls.request_headers(connection.authority, method, chosen.authorization))
            for method in (HOLD, CAPTURE)
        }
        self._measured = MeasuredPart(chosen.warm_up_s, chosen.measured_s)
        self._next_stream = 1
        self._sent: dict[int, Sent] = {}
        self._messages: dict[int, bytes] = {}
        self._outgoing: list[bytes] = []

    def run(self) -> load.Outcome:
        """Until the time is over and every pair that was begun has ended."""
        for _ in range(self._in_flight):
            self._hold()
        while self._sent:
            self._connection.send(b"".join(self._outgoing))
            self._outgoing.clear()
            frames = self._connection.receive()
            self._measured.move_on()
            for frame in frames:
                self._take(frame)
        self._measured.errors = self._replies.errors
        outcome = self._measured.outcome()
        outcome.error_samples = self._replies.samples
        return outcome

    def _take(self, frame: http2.Frame) -> None:
        if frame.stream not in self._sent:
            return
        if frame.kind == http2.DATA:
            self._messages[frame.stream] = self._messages.get(frame.stream, b"") + frame.payload
        succeeded = self._replies.finished(frame)
        if succeeded is None:
            return
        sent, reply = self._sent.pop(frame.stream), self._messages.pop(frame.stream, b"")
        if succeeded and not sent.captures:
            held = transactions_pb2.HoldCreditsResponse.FromString(reply[calls.PREFIX_BYTES :])
            self._capture(sent, held.hold.hold_id)
            return
        if succeeded:
            self._measured.succeed(sent.pair_sent_s)
        if not self._measured.is_over:
            self._hold()

    def _hold(self) -> None:
        account_id = next(self._accounts)
        request = transactions_pb2.HoldCreditsRequest(
            account_id=account_id, amount_microcredits=2 * _AMOUNT, idempotency_key=next(self._keys).decode()
        )
        self._call(
            HOLD, request.SerializeToString(), Sent(account_id, captures=False, pair_sent_s=self._measured.now_s)
        )

    def _capture(self, sent: Sent, hold_id: str) -> None:
        request = transactions_pb2.CaptureHoldRequest(
            account_id=sent.account_id,
            hold_id=hold_id,
            amount_microcredits=_AMOUNT,
            idempotency_key=next(self._keys).decode(),
        )
        self._call(CAPTURE, request.SerializeToString(), sent._replace(captures=True))

    def _call(self, method: str, message: bytes, sent: Sent) -> None:
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        self._sent[stream] = sent
        body = calls.length_prefix(len(message)) + message
        self._outgoing.append(http2.frame(http2.HEADERS, http2.END_HEADERS, stream, self._blocks[method]))
        self._outgoing.append(http2.frame(http2.DATA, http2.END_STREAM, stream, body))


def run(chosen: load.Load) -> load.Outcome:
    """Connects, runs the load and disconnects. Raises OSError or http2.ProtocolError when the connection fails."""
    connection = http2.Connection(chosen.host, chosen.port)
    try:
        connection.await_settings()
        return Pairs(connection, chosen).run()
    finally:
        connection.close()


def _arguments() -> load.Load:
    parser = argparse.ArgumentParser(description="Hold and capture in a closed loop and print what came back as JSON.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--in-flight", type=int, default=load.Load.in_flight, help="pairs at a time")
    parser.add_argument("--accounts", type=int, default=load.Load.accounts)
    parser.add_argument("--warm-up-s", type=float, default=load.Load.warm_up_s)
    parser.add_argument("--measured-s", type=float, default=load.Load.measured_s)
    return load.Load(**vars(parser.parse_args()))


if __name__ == "__main__":
    print(json.dumps(asdict(run(_arguments()))))  # noqa: T201 - the result is the program's output
