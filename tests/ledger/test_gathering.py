"""Calls that wait are gathered into batches, in order, bounded, each told its own end."""

import asyncio

import pytest

from billing_service.domain.refusals import Failure, Reason
from billing_service.ledger.gathering import Gatherer
from tests.support.patience import PATIENCE_S


class Recorder:
    """Runs batches when it is let, and remembers them."""

    def __init__(self, *, open_gate=True):
        self.batches = []
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        if open_gate:
            self.gate.set()

    async def run(self, questions):
        self.batches.append(list(questions))
        self.begun.set()
        await self.gate.wait()
        return [KeyError(question) if question < 0 else question * 10 for question in questions]


async def gathered(recorder, questions, **about):
    gatherer = Gatherer(recorder.run, **({"batch_max": 4, "wait_s": 0.0} | about))
    answers = [gatherer.submit(question) for question in questions]
    await gatherer.close()
    return [answer.exception() or answer.result() for answer in answers]


async def test_no_batch_is_larger_than_its_bound_and_order_is_kept():
    recorder = Recorder()
    assert await gathered(recorder, range(10)) == [number * 10 for number in range(10)]
    assert recorder.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_an_exception_as_an_answer_is_its_askers_alone():
    answers = await gathered(Recorder(), [1, -2, 3])
    assert (answers[0], answers[2]) == (10, 30)
    assert isinstance(answers[1], KeyError)


async def test_a_batch_that_fails_tells_each_and_ends_nothing():
    calls = []

    async def run(questions):
        calls.append(questions)
        if len(calls) == 1:
            raise RuntimeError("broken")
        return questions

    gatherer = Gatherer(run, batch_max=2, wait_s=0)
    first = await asyncio.gather(*(gatherer.submit(number) for number in range(2)), return_exceptions=True)
    assert [type(error) for error in first] == [RuntimeError, RuntimeError]
    assert await gatherer.submit(7) == 7
    await gatherer.close()


async def test_what_arrives_while_a_batch_runs_goes_together_into_the_next():
    recorder = Recorder(open_gate=False)
    gatherer = Gatherer(recorder.run, batch_max=10, wait_s=0)
    first = gatherer.submit(1)
    await recorder.begun.wait()
    rest = []
    for number in range(2, 6):
        rest.append(gatherer.submit(number))
        await asyncio.sleep(0)
    recorder.gate.set()
    assert [await first, *[await answer for answer in rest]] == [10, 20, 30, 40, 50]
    assert recorder.batches == [[1], [2, 3, 4, 5]]
    await gatherer.close()


async def test_cancelled_questions_are_not_asked():
    recorder = Recorder()
    gatherer = Gatherer(recorder.run, batch_max=4, wait_s=0)
    answers = [gatherer.submit(number) for number in range(4)]
    answers[1].cancel()
    answers[2].cancel()
    await gatherer.close()
    assert recorder.batches == [[0, 3]]


async def test_a_batch_of_nothing_but_cancelled_questions_is_not_run():
    recorder = Recorder()
    gatherer = Gatherer(recorder.run, batch_max=4, wait_s=0)
    for number in range(9):
        gatherer.submit(number).cancel()
    await gatherer.close()
    assert recorder.batches == []


async def test_after_a_large_batch_arrivals_are_awaited_together():
    recorder = Recorder()
    gatherer = Gatherer(recorder.run, batch_max=8, wait_s=5)

    async def caller(number):
        await gatherer.submit(number)
        await gatherer.submit(number)

    await asyncio.gather(*(caller(number) for number in range(6)))
    assert [len(batch) for batch in recorder.batches] == [6, 6]
    await gatherer.close()


async def test_a_lone_caller_after_a_rush_does_not_wait_long():
    recorder = Recorder()
    gatherer = Gatherer(recorder.run, batch_max=64, wait_s=600)
    await asyncio.gather(*(gatherer.submit(number) for number in range(64)))
    assert await asyncio.wait_for(gatherer.submit(1), PATIENCE_S) == 10
    await gatherer.close()


async def test_nothing_is_asked_after_closing():
    gatherer = Gatherer(Recorder().run, batch_max=4, wait_s=0)
    await gatherer.close()
    with pytest.raises(Failure) as caught:
        gatherer.submit(1)
    assert caught.value.reason is Reason.SHUTTING_DOWN


async def test_closing_wakes_an_idle_gatherer():
    gatherer = Gatherer(Recorder().run, batch_max=4, wait_s=0)
    assert await gatherer.submit(1) == 10
    await asyncio.wait_for(gatherer.close(), PATIENCE_S)
    await asyncio.wait_for(gatherer.close(), PATIENCE_S)
