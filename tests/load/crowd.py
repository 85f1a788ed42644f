"""A crowd of callers over several connections, in a process of its own: more of them at times than the service takes
on.

`python -m tests.load.crowd --port 50051 --phases 64x2,320x3` prints one JSON object: the answers of 64 callers in two
seconds, then of 320 in three. A caller that was answered asks for something new at once. A caller that was refused asks
again with the same key, after the delay that the refusal names, with jitter, as its client should. So in the end each
key has its effect once.
"""

import argparse
import base64
import heapq
import json
import selectors
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from random import Random

from google.rpc import error_details_pb2, status_pb2

from tests.bench import calls
from tests.bench.load import percentile
from tests.support import http2

GRPC_OK = "0"
DETAILS = "grpc-status-details-bin"
SLICE_S = 0.1
TICK_S = 0.01
DRAIN_S_MAX = 30.0
JITTER = (0.5, 1.5)
UNHINTED_S = 0.4
"""A refusal that names no delay is asked again after this one: about the mean of the product's own client."""


@dataclass(eq=False)
class Caller:
    """One of the crowd. `message` is what it wants and has not got yet."""

    number: int
    line: "Line"
    message: bytes = b""
    sent_s: float = 0.0


@dataclass
class Heard:
    """What came back during one phase."""

    ok_ms: list[float] = field(default_factory=list)
    refused_ms: list[float] = field(default_factory=list)
    ok_slices: Counter[int] = field(default_factory=Counter)
    refused_slices: Counter[int] = field(default_factory=Counter)
    """By tenth of a second since the phase began."""

    def figures(self, lasted_s: float) -> dict[str, object]:
        slices = range(int(lasted_s / SLICE_S))
        told: dict[str, object] = {
            "ok_per_s": len(self.ok_ms) / lasted_s,
            "refused_per_s": len(self.refused_ms) / lasted_s,
            "ok_slices": [self.ok_slices[number] for number in slices],
            "refused_slices": [self.refused_slices[number] for number in slices],
        }
        for name, times_ms in (("ok", sorted(self.ok_ms)), ("refused", sorted(self.refused_ms))):
            told[f"{name}_p50_ms"], told[f"{name}_p99_ms"] = (
                percentile(times_ms, share) if times_ms else None for share in (0.5, 0.99)
            )
        return told


class Line:
    """One connection and the calls on it."""

    def __init__(self, port: int) -> None:
        self.connection = http2.Connection("127.0.0.1", port)
        self.connection.await_settings()
        self._block = http2.header_block(calls.request_headers(self.connection.authority, "DeductCredits", None))
        self._stream = 1
        self._calling: dict[int, Caller] = {}
        self._with_message: set[int] = set()

    def send(self, callers: list[Caller]) -> None:
        parts: list[bytes] = []
        now_s = time.perf_counter()
        for caller in callers:
            parts.append(http2.frame(http2.HEADERS, http2.END_HEADERS, self._stream, self._block))
            parts.append(http2.frame(http2.DATA, http2.END_STREAM, self._stream, caller.message))
            self._calling[self._stream], caller.sent_s = caller, now_s
            self._stream += 2
        self.connection.send(b"".join(parts))

    def ended(self, frame: http2.Frame) -> tuple[Caller, bool] | None:
        """Whose call ended with this frame, and whether a message came before; None for one in the middle."""
        if frame.kind == http2.DATA:
            self._with_message.add(frame.stream)
            return None
        if frame.kind == http2.HEADERS and not frame.flags & http2.END_STREAM:
            return None
        has_message = frame.stream in self._with_message
        self._with_message.discard(frame.stream)
        caller = self._calling.pop(frame.stream, None)  # a stream that has ended may be reset after that
        return None if caller is None else (caller, has_message)


class Crowd:
    """All callers, and what they were told."""

    def __init__(self, port: int, *, connections: int, callers: int, accounts: int, seed: int) -> None:
        self._chance = Random(seed)
        lines = [Line(port) for _ in range(connections)]
        self._callers = [Caller(number, lines[number % connections]) for number in range(callers)]
        self._encode = calls.deduct_credits(accounts, calls.time_ordered_keys(self._chance), self._chance)
        self._active = 0
        self._ready: list[Caller] = []
        self._later: list[tuple[float, int]] = []
        self._verdicts: dict[bytes, tuple[str, float]] = {}
        self._selector = selectors.DefaultSelector()
        for line in lines:
            self._selector.register(line.connection, selectors.EVENT_READ, line)
        self.succeeded = 0
        self.refusals: Counter[tuple[str, float]] = Counter()
        """By status and by the delay in seconds that they name, 0 for none."""

    def spend(self, callers: int, lasts_s: float) -> dict[str, object]:
        """Lets so many callers ask for so long; answers the figures."""
        heard, begun_s = Heard(), time.perf_counter()
        self._ready += self._callers[self._active : callers]
        self._active = callers
        while (now_s := time.perf_counter()) < begun_s + lasts_s:
            self._turn(heard, begun_s)
        return heard.figures(now_s - begun_s)

    def settle(self) -> int:
        """Lets everybody get what was asked for, and want nothing more; answers how many could not."""
        begun_s, self._active = time.perf_counter(), 0
        while (
            unsettled := sum(bool(caller.message) for caller in self._callers)
        ) and time.perf_counter() < begun_s + DRAIN_S_MAX:
            self._turn(Heard(), begun_s)
        return unsettled

    def _turn(self, heard: Heard, begun_s: float) -> None:
        now_s = time.perf_counter()
        while self._later and self._later[0][0] <= now_s:
            self._ready.append(self._callers[heapq.heappop(self._later)[1]])
        asking: dict[Line, list[Caller]] = defaultdict(list)
        for caller in self._ready:
            if not caller.message and caller.number >= self._active:
                continue
            caller.message = caller.message or self._encode()
            asking[caller.line].append(caller)
        self._ready = []
        for line, callers in asking.items():
            line.send(callers)
        for key, _ in self._selector.select(TICK_S):
            self._hear(key.data, heard, begun_s)

    def _hear(self, line: Line, heard: Heard, begun_s: float) -> None:
        frames = line.connection.receive()
        now_s = time.perf_counter()
        part = int((now_s - begun_s) / SLICE_S)
        for frame in frames:
            ended = line.ended(frame)
            if ended is None:
                continue
            caller, has_message = ended
            status, delay_s = self._verdict(frame)
            took_ms = (now_s - caller.sent_s) * 1e3
            if status == GRPC_OK and has_message:
                self.succeeded += 1
                heard.ok_ms.append(took_ms)
                heard.ok_slices[part] += 1
                caller.message = b""
                self._ready.append(caller)
            else:
                self.refusals[status, delay_s] += 1
                heard.refused_ms.append(took_ms)
                heard.refused_slices[part] += 1
                heapq.heappush(
                    self._later, (now_s + (delay_s or UNHINTED_S) * self._chance.uniform(*JITTER), caller.number)
                )

    def _verdict(self, frame: http2.Frame) -> tuple[str, float]:
        """The status, and after how many seconds to ask again. Equal trailers are read once."""
        if frame.kind == http2.RST_STREAM:
            return f"RST_STREAM_{int.from_bytes(frame.payload, 'big')}", 0.0
        if frame.payload not in self._verdicts:
            self._verdicts[frame.payload] = _read_trailers(http2.decode_block(frame.payload))
        return self._verdicts[frame.payload]


def _read_trailers(headers: dict[str, str]) -> tuple[str, float]:
    text = headers.get(DETAILS, "")
    status = status_pb2.Status.FromString(base64.b64decode(text + "=" * (-len(text) % 4)))
    retry = error_details_pb2.RetryInfo()
    delays_s = [retry.retry_delay.ToMilliseconds() / 1e3 for detail in status.details if detail.Unpack(retry)]
    return headers.get("grpc-status", "absent"), delays_s[0] if delays_s else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Send more callers than the service takes on, and print what they were told as JSON."
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--accounts", type=int, default=1_000, help="made by tests.bench.seed")
    parser.add_argument("--phases", required=True, help="callers x seconds, one after the other: 64x2,320x3")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    phases = [
        (int(callers), float(lasts_s)) for callers, lasts_s in (part.split("x") for part in chosen.phases.split(","))
    ]
    most = max(callers for callers, _ in phases)
    crowd = Crowd(chosen.port, connections=chosen.connections, callers=most, accounts=chosen.accounts, seed=chosen.seed)
    spent = [crowd.spend(*phase) for phase in phases]
    told = {"phases": spent, "unsettled": crowd.settle(), "succeeded": crowd.succeeded}
    refusals = [
        {"status": status, "delay_s": delay_s, "count": count} for (status, delay_s), count in crowd.refusals.items()
    ]
    json.dump({**told, "refusals": refusals}, sys.stdout)


if __name__ == "__main__":
    main()
