"""Each UPDATE and DELETE of each operation in turn is made to match nothing: the operation says so, keeps nothing, and
its key stays free."""

import asyncio
import re

import pytest
from sqlalchemy import Delete, Update, false

from billing_service.domain.refusals import Refusal
from billing_service.integrity.verify import verify_ledger
from billing_service.storage.statements import ConditionalWrite, Statement, Together, UnlockedRead
from tests.faults.fault_sales import ALL_OPERATIONS
from tests.support.fault_points import FaultPoints
from tests.support.fault_service import FaultService, Lasting, Told
from tests.support.ledger_check import ledger_problems

pytestmark = pytest.mark.usefixtures("immediate_reruns")
CALLS_MAX = 5
SECONDS = re.compile(r"seconds: \d+")
"""Some operations let time pass before they are called, and each call of theirs is later than the one before."""


def changing(statement):
    return isinstance(statement.element, Update | Delete)


def matching_nothing(statement):
    """The same statement with a WHERE that no row fulfils."""
    blind = Statement(
        statement.name, statement.element.where(false()), statement.columns, statement.kind, bulk=statement.bulk
    )
    if statement.sqlite_element is not None:
        blind.sqlite_element = statement.sqlite_element.where(false())
    return blind


class BlindedStore:
    """Passes units of work on, with the calls of one statement replaced; keeps how many rows each statement changed
    last."""

    def __init__(self, store):
        self._store = store
        self._blinded = {}
        self.target = None
        self.used = {}

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def write(self, work):
        return await self.write_by_attempt(lambda _attempt: work())

    async def write_by_attempt(self, work):
        return await self._store.write_by_attempt(lambda attempt: self._watched(work(attempt)))

    def _watched(self, unit):
        sent = None
        while True:
            try:
                wanted = unit.send(sent)
            except StopIteration as ended:
                return ended.value
            if isinstance(wanted, UnlockedRead):
                sent = yield wanted
                continue
            calls = wanted.calls if isinstance(wanted, Together | ConditionalWrite) else (wanted,)
            replaced = tuple(map(self._replaced, calls))
            if isinstance(wanted, ConditionalWrite):
                sent = yield wanted._replace(calls=replaced)
                counts = [len(call.values) for call in calls]  # else it would not have gone on
            else:
                sent = yield Together(replaced) if isinstance(wanted, Together) else replaced[0]
                counts = sent if isinstance(wanted, Together) else [sent]
            for call, count in zip(calls, counts, strict=True):
                if changing(call.statement):
                    self.used[call.statement] = count

    def _replaced(self, call):
        if call.statement is not self.target:
            return call
        if call.statement not in self._blinded:
            self._blinded[call.statement] = matching_nothing(call.statement)
        return call._replace(statement=self._blinded[call.statement])


async def ended(call, service):
    """What one call was answered, each in words."""
    answers = await asyncio.gather(call(service), return_exceptions=True)
    told = answers[0] if isinstance(answers[0], list) else answers
    words = [answer.text if isinstance(answer, Told) else repr(answer) for answer in told]
    return [SECONDS.sub("seconds: #", word) for word in words], told


async def definite(call, service):
    for _ in range(CALLS_MAX):
        words, told = await ended(call, service)
        if all(isinstance(answer, Told | Refusal) for answer in told):
            return words
    raise AssertionError(f"no definite answer: {told}")


async def until_used(call, service, statement):
    """The answer of the first call that came to the statement: some operations are refused at first."""
    for _ in range(CALLS_MAX):
        words, told = await ended(call, service)
        if statement in service.store.used:
            return words, told
    raise AssertionError(f"{statement.name} is not reached")


@pytest.mark.parametrize("name", ALL_OPERATIONS)
async def test_a_write_that_matches_nothing_is_never_taken_for_done(fault_database, name):
    lasting = Lasting(FaultPoints())
    store = BlindedStore(await fault_database.open())
    service = FaultService(store, lasting)
    numbers = iter(range(1, 1_000))

    async def prepare():
        tag = f"run{next(numbers):05d}x"
        lasting.ids.begin(tag)
        lasting.provider.stripe.refuses, lasting.provider.unreachable_calls = False, 0
        call = await ALL_OPERATIONS[name].prepare(service, tag)
        store.used = {}
        return call

    try:
        clean = await definite(await prepare(), service)
        for statement in [each for each, count in store.used.items() if count]:
            call = await prepare()
            store.target = statement
            words, told = await until_used(call, service, statement)
            assert words != clean, f"{statement.name} matched nothing, and the answer was {words}"
            assert not all(isinstance(answer, Told) for answer in told), (
                f"{statement.name} matched nothing, and the answer was {words}"
            )
            store.target = None
            assert await definite(call, service) == clean, f"after {statement.name} matched nothing once"
        report = await verify_ledger(store)
        assert not report.differences
        assert not ledger_problems(fault_database)
    finally:
        await service.close()
