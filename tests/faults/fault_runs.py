"""The procedure for one operation: run clean, then strike every point in every mode, repeat until definite, and
compare."""

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, field

from prepaid.billing.v1.accounts_pb2 import GetBalanceRequest

from billing_service.domain.refusals import Failure, Refusal
from billing_service.integrity.verify import verify_ledger
from tests.faults import faulty_postgres, faulty_sqlite
from tests.faults.fault_operations import calling, deduction, granted
from tests.faults.fault_picture import BYSTANDER, pictures, shown
from tests.support import fault_modes
from tests.support.doubles import START_US
from tests.support.fault_modes import CANCELLED, CLEAN, UNPLANNED
from tests.support.fault_points import SETTLED_S, FaultPoints
from tests.support.fault_service import FaultService, Lasting, Told
from tests.support.ledger_check import ledger_problems

SEAMS = {"sqlite": faulty_sqlite, "postgresql": faulty_postgres}
CALLS_MAX = 5
"""Of the same request, before its answer must be definite."""
POINTS_MAX = 400
"""Far above any operation's statements: a loop that never passes untouched is a failure."""


@dataclass
class Tally:
    """What was run, for the test's last lines."""

    runs: int = 0
    fired: int = 0
    points: Counter = field(default_factory=Counter)
    """The clean run's points, by domain."""
    modes: Counter = field(default_factory=Counter)
    """Runs in which each mode struck."""
    answers: Counter = field(default_factory=Counter)
    """Classes of the answers that were given while a fault was armed."""
    commits_reported_failed: int = 0

    def __str__(self):
        counted = ", ".join(f"{number} {name}" for name, number in sorted(self.answers.items()))
        return (
            f"{self.runs} runs, {self.fired} struck in {len(self.modes)} modes ({self.commits_reported_failed} "
            f"commits applied and "
            f"reported failed); {self.points['database']} statements, {self.points['provider']} calls to Stripe; "
            f"answered: {counted}"
        )


class FaultRuns:
    """All runs of one operation on one database. Every run has accounts, keys and events of its own, named by its
    tag.

    After the last mode a run passes untouched, or every mode ends with one: `untouched_each`. Up to the strike a run
    that is struck is the clean one, so that the untouched run of a mode would be the clean one once more. A mode whose
    runs took another way, or may take one because the service was just opened, ends with one whatever was asked for.
    """

    def __init__(self, database, operation, tally, *, untouched_each=False):
        self._database = database
        self._operation = operation
        self._seam = SEAMS[database.store]
        self._points = FaultPoints()
        self._lasting = Lasting(self._points)
        self._numbers = itertools.count(1)
        self._service = None
        self._clean = None
        self._clean_sent_back = []
        self._reference = ""
        self._names = {}
        self._untouched_each = untouched_each
        self._names_just_opened = []
        """Points in the database of a run that remembers nothing of one before."""
        self._astray = False
        """Whether a run of this mode met other points before its strike than the clean run."""
        self._runs = {}
        self.tally = tally

    async def everything(self, chosen):
        """Runs clean, then for each mode strikes one point after the other. `chosen(mode, number, name)` says whether a
        point is struck in this execution of the tests."""
        await self._open()
        try:
            await self._every_run(chosen)
        finally:
            self._points.disarm()
            await self._close()
        self._compare_pictures()

    async def _every_run(self, chosen):
        await granted(self._service, BYSTANDER, 1_000_000)
        await self._run_clean()
        modes = fault_modes.MODES[self._database.store]
        last = {mode.domain: mode for mode in modes}
        unlike = self._names_just_opened != self._names[fault_modes.DATABASE]
        just_opened = False
        for mode in modes:
            untouched = self._untouched_each or mode is last[mode.domain] or (just_opened and unlike)
            struck = await self._strike_each(mode, chosen, untouched=untouched)
            just_opened = mode.kind in fault_modes.MAY_LEAK and (struck or unlike)
            if just_opened:
                await self._restart()
        await self._check_ledger()

    async def _strike_each(self, mode, chosen, *, untouched):
        """Answers whether any point was struck. `untouched`: goes on behind the clean run's points, until a run passes
        untouched."""
        names, struck, self._astray = self._names[mode.domain], False, False
        for number in range(1, POINTS_MAX):
            if number <= len(names):
                if not chosen(mode, number, names[number - 1]):
                    continue
            elif not untouched and not self._astray:
                return struck
            if not await self._run_with_fault(mode, number):
                return struck
            struck = True
        raise AssertionError(f"{mode.name}: no run passed untouched")

    async def _open(self):
        store = await self._database.open()
        self._seam.put_faults(store, self._points)
        self._service = FaultService(store, self._lasting)

    async def _close(self):
        await asyncio.wait_for(self._service.close(), SETTLED_S)

    async def _restart(self):
        await self._close()
        await self._open()

    async def _prepare(self, what):
        tag = f"run{next(self._numbers):05d}x"
        self._runs[tag] = what
        self._lasting.ids.begin(tag)
        self._lasting.clock.now_us = START_US
        self._lasting.provider.stripe.refuses = False
        self._lasting.provider.unreachable_calls = 0
        self.tally.runs += 1
        return tag, await self._operation.prepare(self._service, tag)

    async def _run_clean(self):
        """Learns what the operation answers and leaves when nothing is in its way, and how many points it has."""
        first, call = await self._prepare("clean")
        self._clean = await self._until_definite(call)
        self._check_repeat(await self._attempt(call), "clean")
        self._clean_sent_back = self._sent_back()
        for domain in (fault_modes.DATABASE, fault_modes.PROVIDER):
            self._names[domain] = await self._count(domain)
            self.tally.points[domain] = len(self._names[domain])
        await self._restart()
        self._names_just_opened = await self._count(fault_modes.DATABASE)
        self._reference = first

    async def _count(self, domain):
        """Names of the points of a run that nothing strikes."""
        _, call = await self._prepare(f"clean, counting {domain}")
        self._points.arm(fault_modes.NOTHING[domain], POINTS_MAX)
        await self._attempt(call)
        names = self._points.passed
        self._points.disarm()
        await self._until_definite(call)
        return names

    async def _run_with_fault(self, mode, number):
        what = f"{mode.name} at {number}"
        _, call = await self._prepare(what)
        self._points.arm(mode, number)
        told = await self._attempt(call)
        self._points.disarm()
        fired, name = self._points.fired, self._points.passed[number - 1 : number]
        self._astray |= self._points.passed[:number] != self._names[mode.domain][:number]
        what = f"{what} {name}"
        if fired:
            self._record(mode, name)
        self._check_classes(told, mode, what, fired=fired)
        if fired and mode.restart:
            await self._restart()
        if fired and mode.kind == fault_modes.CANCEL and self._operation.one_unit:
            await self._check_quiet(what)
            self._check_repeat(await self._attempt(call), f"{what}: what began did not end")
        await self._check_next_call(what)
        answers = _texts(told) if _definite(told) else await self._until_definite(call)
        assert answers == self._clean, (what, answers, self._clean)
        self._check_repeat(await self._attempt(call), what)
        await self._check_quiet(what)
        assert self._sent_back() == self._clean_sent_back, f"{what}: another amount of money went back"
        return fired

    def _sent_back(self):
        """What Stripe refunded in this run: more than once for one refund is money lost."""
        return [
            sent.amount_minor
            for sent in self._lasting.provider.stripe.refunds
            if self._lasting.ids.tag in sent.stripe_refund_id
        ]

    def _record(self, mode, name):
        self.tally.fired += 1
        self.tally.modes[mode.name] += 1
        if name == ["COMMIT"] and mode.when == fault_modes.AFTER and mode.kind != fault_modes.CANCEL:
            self.tally.commits_reported_failed += 1

    async def _attempt(self, call):
        """One call; its answers, each an answer's text, a refusal's reason or an exception."""
        task = asyncio.ensure_future(call(self._service))
        self._points.watch(task)
        done, _ = await asyncio.wait([task], timeout=SETTLED_S)
        assert done, "a call hangs"
        if task.cancelled():
            return [asyncio.CancelledError()]
        return [task.exception()] if task.exception() is not None else task.result()

    async def _until_definite(self, call):
        for _ in range(CALLS_MAX):
            told = await self._attempt(call)
            if _definite(told):
                return _texts(told)
        raise AssertionError(f"no definite answer in {CALLS_MAX} calls: {told!r}")

    def _check_classes(self, told, mode, what, *, fired):
        allowed = mode.answers | self._operation.also if fired else {CLEAN} | self._operation.also
        for position, answer in enumerate(told):
            kind = self._class(answer, position)
            if fired:
                self.tally.answers[kind] += 1
            assert kind in allowed, f"{what}: {kind} {answer!r} is not one of {sorted(allowed)}"

    def _class(self, answer, position):
        if isinstance(answer, Failure):
            return answer.reason.value
        if isinstance(answer, asyncio.CancelledError):
            return CANCELLED
        if isinstance(answer, Refusal | Told):
            return (
                CLEAN if _texts([answer])[0] == self._clean[position] else f"not the clean run's {_texts([answer])[0]}"
            )
        return UNPLANNED

    async def _check_next_call(self, what):
        """Somebody else's call works at once, whatever became of the one before."""
        key = f"next-{self._lasting.ids.tag}"
        told = await self._attempt(calling("deduct_credits", deduction(BYSTANDER, 1, key)))
        assert isinstance(told[0], Told), f"{what}: the next write was answered {told[0]!r}"
        told = await self._attempt(calling("get_balance", GetBalanceRequest(account_id=BYSTANDER)))
        assert isinstance(told[0], Told), f"{what}: the next read was answered {told[0]!r}"

    def _check_repeat(self, told, what):
        """The same request again is answered alike, and as a replay."""
        assert _texts(told) == self._clean, (what, told, self._clean)
        for answer in told:
            if isinstance(answer, Told) and not self._operation.unkeyed:
                assert answer.replayed, f"{what}: a second effect for one key"

    async def _check_quiet(self, what):
        store = self._service.store
        while store._running:
            done, _ = await asyncio.wait(store._running, timeout=SETTLED_S)
            assert done, f"{what}: a unit of work hangs"
        await asyncio.sleep(0)  # lets the pool take back the connection of the last one
        assert self._seam.open_transactions(store) == 0, f"{what}: a transaction is left open"

    async def _check_ledger(self):
        report = await verify_ledger(self._service.store)
        assert not report.differences, self._explained(str(report.differences[:3]))
        problems = ledger_problems(self._database)
        assert not problems, self._explained("; ".join(problems[:3]))

    def _compare_pictures(self):
        """Each run left what the clean one left: every effect once, and nothing else."""
        found = pictures(self._database)
        varies = self._operation.varies
        expected = shown(found[self._reference], varies)
        for tag in self._runs:
            left = shown(found[tag], varies)
            differing = [line for line in left if line not in expected], [line for line in expected if line not in left]
            assert left == expected, f"{self._runs[tag]} ({tag}) left {differing[0]} instead of {differing[1]}"
        assert found.keys() <= self._runs.keys()

    def _explained(self, text):
        return text + " " + str({tag: what for tag, what in self._runs.items() if tag in text})


def _definite(told):
    return all(isinstance(answer, Told | Refusal) for answer in told)


def _texts(told):
    """Answers without what says that they were given before."""
    return [answer.text if isinstance(answer, Told) else str(getattr(answer, "reason", answer)) for answer in told]
