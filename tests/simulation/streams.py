"""Streams of deductions: what their callers and the network do, and what is due to each of them whatever happens."""

import asyncio

import grpc
from prepaid.billing.v1 import transactions_pb2

from billing_service.api.admission import weight_of
from billing_service.domain.refusals import Failure, Reason
from tests.simulation.answers import Serving
from tests.simulation.batches import Batch, outcome_told
from tests.simulation.model import ALLOW_DEBT, UP_TO_AVAILABLE
from tests.simulation.model_account import Contradiction, expect
from tests.simulation.service import IN_FLIGHT_MAX, NEVER_S
from tests.simulation.stream_line import Line

WEIGHTS = {"stream": 40, "drain": 0.08}
"""Of what happens in worlds with streams, beside what happens in all."""
OFTENER = 8
"""How much more often streams are drained, and lines cut, when the service is in the middle of something."""
STOPPING_WEIGHT = 1
"""Of the end of a process whose streams were drained."""
ACTIONS = {"send": 12, "hear": 10, "half_close": 3, "cut": 0.3, "nothing": 2}
GIVING_UP = 0.1
"""How much more seldom callers half-close with something unsent."""
WITH_DEADLINE = 0.15
INATTENTIVE = 0.3
"""Of the callers: they hear nothing until they must."""
DEADLINE_MAX_S = 0.15
LIMITS_S = (0.008, 0.03, NEVER_S, NEVER_S)
"""How long a call may take, of the loop's time."""
PLACES = (2, IN_FLIGHT_MAX, IN_FLIGHT_MAX)
OVERDUE = "took longer than the service allows"
TIMER_S = 0.0015
"""A timer may be early by as much."""


class Streams:
    """All lines of a world."""

    def __init__(self, world):
        self._world = world
        self._chance = world.chance
        self.lines = []
        self.orphans = []
        """What was read from lines that their callers lost: it is carried out all the same, if nothing is in its
        way."""
        self._left = 0
        """Places that what lines left behind may take."""

    def __str__(self):
        """Of the lines, as far as it says how the run went."""
        return " ".join(f"{len(line.servings)}/{line.answered}/{line.unheard}" for line in self.lines)

    def possible(self, weights):
        """With what streams let happen beside it."""
        more = dict(WEIGHTS)
        if not self.lines:
            del more["stream"]
        if self._world.process.admission.streams_ended:
            del more["drain"]
            more["crash"] = STOPPING_WEIGHT
        elif any(line.is_opening and not line.over for line in self.lines):
            more["drain"] *= OFTENER
        return weights | more

    def begin_rough(self):
        """What the service allows, until `begin_calm`."""
        process = self._world.process
        process.overdue.limit_s, process.admission.in_flight_max = (
            self._chance.choice(LIMITS_S),
            self._chance.choice(PLACES),
        )

    def begin_calm(self):
        process = self._world.process
        process.overdue.limit_s, process.admission.in_flight_max = NEVER_S, IN_FLIGHT_MAX

    def open(self, stream):
        world = self._world
        line = Line(
            stream,
            world.turns,
            self._chance,
            world.process,
            calm=world.calm,
            on_read=self._read,
            on_answer=self._answer,
        )
        if not world.calm and self._chance.random() < WITH_DEADLINE:
            line.end_at(asyncio.get_running_loop().time() + self._chance.random() * DEADLINE_MAX_S)
        line.inattentive = self._chance.random() < INATTENTIVE
        self.lines.append(line)
        world.counts["opened stream"] += 1

    def lose(self):
        """The process is gone, and with it every line."""
        self.lines.clear()
        self.orphans.clear()
        self._left = 0

    def drain(self):
        self._world.counts["drained line"] += sum(not line.over for line in self.lines)
        for line in self.lines:
            line.due_at_drain = len(line.servings)
        self._world.process.admission.end_streams()

    # What is read and answered.

    def _read(self, line, operation):
        serving = Serving(operation, asyncio.get_running_loop().create_future(), calm=line.calm, line=line)
        serving.begun_s, serving.faults_met = asyncio.get_running_loop().time(), self._world.faults.met.total()
        line.servings.append(serving)
        self._world.begin(serving)

    def _answer(self, line, raw):
        try:
            answer = transactions_pb2.StreamDeductionsResponse.FromString(raw)
            expect(line.answered < len(line.servings), f"an answer to what was not read: {answer}")
            serving = line.servings[line.answered]
            line.answered += 1
            expect(
                answer.sequence == line.answered,
                f"{serving.subject} has answer {answer.sequence}, it was request {line.answered}",
            )
            serving.task.set_result(self._timely(serving, outcome_told(answer.outcome)))
        except Contradiction as contradiction:  # the service would take it for a defect of the line
            self._world.contradiction = contradiction
            raise

    def _timely(self, serving, outcome):
        """What took too long to be waited for may have its effect later."""
        if isinstance(outcome, Failure) and OVERDUE in outcome.message:
            took_s = asyncio.get_running_loop().time() - serving.begun_s
            expect(
                took_s >= self._world.process.overdue.limit_s - TIMER_S,
                f"{serving.subject} was given up after {took_s} s",
            )
            serving.subject.loose = True
            self._world.counts["streamed deduction given up"] += 1
        return outcome

    # What callers do.

    def act(self):
        """One caller, or the network between."""
        line = self._chance.choice(self.lines)
        possible = {
            name: ACTIONS[name]
            for name in (*self._of_caller(line), "nothing")
            if name != "hear" or not line.inattentive
        }
        if line.unsent and "half_close" in possible:
            possible["half_close"] *= GIVING_UP
        if not line.over and not line.broken:
            possible["cut"] = ACTIONS["cut"] * (
                OFTENER if line.answered < len(line.servings) and not line.inattentive else 1
            )
        action = self._chance.choices(list(possible), list(possible.values()))[0]
        self._world.counts[f"line {action}"] += 1
        if action == "cut" and line.unheard:
            self._world.counts["line cut with answers under way"] += 1
        if action != "nothing":
            getattr(line, action)()

    def attend(self):
        """A caller that wants to know does what it can; False when none can do anything but wait. A drained stream ends
        by itself."""
        drained = self._world.process.admission.streams_ended
        able = [
            (line, name)
            for line in self.lines
            for name in self._of_caller(line)
            if name != "half_close" or not (line.unsent or drained)
        ]
        if not able:
            return False
        line, name = self._chance.choice(able)
        getattr(line, name)()
        return True

    def _of_caller(self, line):
        if line.unheard:
            yield "hear"
        if not line.over:
            if line.unsent:
                yield "send"
            if not line.half_closed:
                yield "half_close"

    # How streams end.

    def settle(self):
        """Judges the lines that have ended, and what all of them weigh."""
        for line in [each for each in self.lines if each.task.done() and not each.over]:
            line.over = True
            self._judge_end(line)
            if line.broken and line.answered < len(line.servings):
                self._world.counts["line cut with deductions under way"] += 1
            self._left += weight_of(len(line.servings) - line.written)
            for serving in line.servings[line.answered :]:
                serving.task.cancel()
            self._adopt(line)
        self.lines = [each for each in self.lines if not each.over or each.unheard]
        self._check_places()

    def _check_places(self):
        admission = self._world.process.admission
        lines = [each for each in self.lines if not each.over]
        batches = [each for each in self._world.serving if isinstance(each.subject, Batch)]
        most = self._left + sum(1 + weight_of(len(each.servings) - each.written) for each in lines)
        most += sum(weight_of(len(each.operations)) - 1 for each in batches)
        expect(admission.in_flight <= most, f"{admission.in_flight} places are taken, there is work for {most}")
        # else some of what was read weighs nothing: there was no place for it
        if admission.in_flight_max == IN_FLIGHT_MAX:
            live = [each for each in lines if each.servings and each.end is None]
            least = sum(1 + weight_of(max(0, len(each.servings) - each.answered - 1)) for each in live)
            expect(admission.in_flight >= least, f"{admission.in_flight} places are taken, lines need {least}")

    def _judge_end(self, line):
        error = None if line.task.cancelled() else line.task.exception()
        if error is not None and not isinstance(error, grpc.aio.BaseError):
            raise error
        if line.broken:
            return
        words = f"a stream of {len(line.servings)} with {line.answered} answers ends with {line.end}"
        if not line.task.cancelled() and error is None:
            expect(line.half_closed and line.answered == len(line.servings) and not line.unread, words)
            return
        expect(line.end is not None and not line.calm, words)
        code, refused = line.end
        self._world.counts[f"line {refused.reason}"] += 1
        expect(self._is_explained(line, refused.reason), f"{words}; nothing explains it: {code}")

    def _is_explained(self, line, reason):
        process, answered, read = self._world.process, line.answered, len(line.servings)
        if reason is Reason.SHUTTING_DOWN:
            due = line.due_at_drain - line.identifying
            return process.admission.streams_ended and answered >= due
        if reason is Reason.API_KEY_INVALID:
            return line.revoked and answered >= read - 1
        if reason is Reason.STORAGE_UNAVAILABLE:
            waited_s = line.end_s - line.slow_since if line.slow_since is not None else 0.0
            return waited_s >= process.overdue.limit_s - TIMER_S
        if reason is Reason.OVERLOADED:
            return not read and process.admission.in_flight_max < IN_FLIGHT_MAX
        return reason is Reason.DEADLINE_TOO_SHORT and not read and line.deadline_s is not None

    def _adopt(self, line):
        """Whatever the caller lost, and nothing but a fault may stop."""
        admission = self._world.process.admission
        if admission.in_flight_max < IN_FLIGHT_MAX or admission.streams_ended or line.identifying:
            return
        early_s = asyncio.get_running_loop().time() - self._world.process.overdue.limit_s + TIMER_S
        self.orphans += [each for each in line.servings[line.answered :] if each.begun_s > early_s]

    def check_orphans(self):
        """Once nothing is under way any more."""
        faults_met = self._world.faults.met.total()
        for orphan in self.orphans:
            operation, offers = orphan.subject, orphan.offers[orphan.subject.account_id]
            if operation.hopeless or faults_met != orphan.faults_met or operation.key in self._world.model.applied:
                continue
            if (
                operation.method != "deduct_credits"
                or operation.request.HasField("usage")
                or any(orphan.lefts.values())
            ):
                continue  # it may well be refused for more reasons than one
            mode, amount = operation.request.mode, operation.request.amount_microcredits
            least = {UP_TO_AVAILABLE: 1}.get(mode, amount)
            refusable = any(
                not version or frozen or available + (owable if mode == ALLOW_DEBT else 0) < least
                for version, available, frozen, owable in offers
            )
            expect(
                refusable,
                f"{operation} was read from a stream that broke, and never carried out; offered was {sorted(offers)}",
            )
            self._world.counts["orphan refused"] += 1
        self._world.counts["orphan"] += len(self.orphans)
        self.orphans.clear()
        self._left = 0
