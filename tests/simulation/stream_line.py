"""One call of StreamDeductions: what grpc.aio would give the service as its context, with the caller at the other end
of the line.

On a line messages keep their order; they come late, or, once it is cut, not at all. Whatever the service asks of its
context waits for its turn.
"""

import asyncio
from collections import deque

import grpc
from google.rpc import status_pb2
from prepaid.billing.v1 import transactions_pb2

from billing_service.api.identity import Identity
from billing_service.domain.access.api_keys import Scope
from billing_service.domain.refusals.access import api_key_invalid
from tests.simulation.batches import refused_of
from tests.simulation.model_account import expect
from tests.simulation.service import CALLER
from tests.simulation.workload_holds import operation_message

WINDOW = 2
"""Answers under way that their caller has not taken; the next waits at the service."""
KNOWN_AT_ONCE = 0.5
REVOKED = 0.06
"""Of the looks at a key that are none at a cache: those that find it revoked."""
AT_ONCE = 0.6
"""Of the calls that are cut: those that grpc.aio cancels before the service finds out by what it reads or writes."""
IDENTITY = Identity(CALLER, frozenset(Scope))


class Line:
    """The service's end: a ServicerContext. `on_read(line, operation)` and `on_answer(line, raw)` are told at once."""

    def __init__(self, stream, turns, chance, process, *, calm, on_read, on_answer):
        self.process = process
        self.calm = calm
        self.unsent = deque(stream.items)
        self.half_closed = False
        self.broken = False
        """Neither side hears the other any more."""
        self.servings = []
        """For each request that the service has read."""
        self.answered = self.written = 0
        """How many of them have their answers, and how many of those gRPC has taken."""
        self.due_at_drain = 0
        """How many had been read when streams were drained."""
        self.newest = {}
        """For each account, the version that the last of these deductions made."""
        self.is_opening = True
        self.revoked = False
        self.identifying = False
        """A request that was read may be in the hand that looks for the key."""
        self.slow_since = None
        """Since when the service has waited for what it does not wait for longer than for a call."""
        self.deadline_s = None
        self.inattentive = False
        self.end = None
        """Status code, and refusal or failure."""
        self.end_s = 0.0
        self.over = False
        self.task = process.begin_stream(self)
        self._turns, self._chance = turns, chance
        self._on_read, self._on_answer = on_read, on_answer
        self._sent = deque()
        self._arriving = deque()
        self._waiting = []

    @property
    def unheard(self):
        """How many answers are on their way to the caller."""
        return len(self._arriving)

    @property
    def unread(self):
        """How many requests are on their way to the service."""
        return len(self._sent)

    # What the service asks.

    def time_remaining(self):
        return None if self.deadline_s is None else max(0.0, self.deadline_s - _now())

    def invocation_metadata(self):
        return (("x-request-id", "simulated"),)

    def peer(self):
        return "memory"

    async def send_initial_metadata(self, _metadata):
        self.slow_since = None
        self._must_stand()
        await self._turns.turn()
        self._must_stand()
        self.is_opening = False

    async def read(self):
        await self._until(lambda: self._sent or self.half_closed)
        await self._turns.turn()
        if not self._sent:
            return grpc.aio.EOF
        operation = self._sent.popleft()
        self._on_read(self, operation)
        asked = (
            {"deduction": operation.request}
            if operation.method == "deduct_credits"
            else {"operation": operation_message(operation)}
        )
        return transactions_pb2.StreamDeductionsRequest(**asked).SerializeToString()

    async def write(self, raw):
        self._must_stand()
        self._on_answer(self, raw)
        serving = self.servings[self.answered - 1]
        self.slow_since = _now()
        try:
            await self._turns.turn()
            await self._until(lambda: len(self._arriving) < WINDOW)
        except asyncio.CancelledError:
            # What was given to gRPC may well arrive, though nobody waits for it any more.
            if not self.broken and not self._is_dead and self._chance.random() < 0.5:
                self._arriving.append(serving)
            raise
        self._must_stand()
        self.slow_since = None
        self.written += 1
        self._arriving.append(serving)

    async def abort(self, code, _details="", trailing_metadata=()):
        expect(self.end is None, f"a stream ends with {code}, and ended with {self.end}")
        ((_, raw),) = trailing_metadata
        self.end, self.end_s = (code, refused_of(status_pb2.Status.FromString(raw))), _now()
        if not self._is_dead:
            await self._turns.turn()
        raise grpc.aio.AbortError("told")

    def recognise(self):
        return IDENTITY if self._chance.random() < KNOWN_AT_ONCE else None

    async def identify(self):
        self.identifying = True
        if not self.servings:
            self.slow_since = _now()
        await self._turns.turn()
        self.revoked = not self.calm and self._chance.random() < REVOKED
        if self.revoked:
            raise api_key_invalid()
        self.identifying = False
        return IDENTITY

    # What the caller and the network do.

    def send(self):
        self._sent.append(self.unsent.popleft())
        self._wake()

    def half_close(self):
        """What is not sent by now never is."""
        self.half_closed = True
        self.unsent.clear()
        self._wake()

    def hear(self):
        """The next answer arrives."""
        serving = self._arriving.popleft()
        serving.subject.hear(serving.definite)
        self._wake()

    def end_at(self, deadline_s):
        """grpc.aio ends the call then, whatever it is doing."""
        self.deadline_s = deadline_s
        asyncio.get_running_loop().call_at(deadline_s, self.cut)

    def cut(self):
        """The network fails, or the caller hangs up: the service can't tell. It may still read what had come so far;
        nothing that it answers arrives."""
        if self.broken or self.over or self._is_dead:
            return
        self.broken, self.half_closed = True, True
        self.unsent.clear()
        self._arriving.clear()
        for _ in range(self._chance.randint(0, len(self._sent))):
            self._sent.pop()
        self._wake()
        if self._chance.random() < AT_ONCE:
            self.task.cancel()
        else:
            self._cutting = asyncio.ensure_future(self._cancel())

    async def _cancel(self):
        await self._turns.turn()
        self.task.cancel()

    @property
    def _is_dead(self):
        return self.process.store.survivor is not None

    def _must_stand(self):
        if self.broken:
            raise grpc.aio.BaseError("the line is cut")

    async def _until(self, ready):
        while not (ready() or self.broken):
            self._waiting.append(asyncio.get_running_loop().create_future())
            await self._waiting[-1]

    def _wake(self):
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()


class LineAuthenticator:
    """Knows most callers at once; for the others it asks, as long as it takes. Fits `api.identity.Authenticator`."""

    def recognise(self, line):
        return line.recognise()

    async def authenticate(self, line):
        return await line.identify()


def _now():
    return asyncio.get_running_loop().time()
