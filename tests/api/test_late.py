"""What is begun late lets the next one begin, however it ends: submitted, refused, or taken back before its first
step."""

import asyncio
import gc
import warnings

import pytest

from billing_service.api.late import begin_late


async def submits(future):
    return future


async def refuses():
    await asyncio.sleep(0)
    raise ValueError("no")


async def test_what_was_submitted_is_told_before_its_answer():
    future = asyncio.get_running_loop().create_future()
    late = begin_late(submits(future))
    await late.submitted.wait()
    assert not late.answer.done()
    future.set_result("answer")
    assert await late.answer == "answer"


async def test_what_was_refused_is_told():
    late = begin_late(refuses())
    await late.submitted.wait()
    with pytest.raises(ValueError, match="no"):
        await late.answer


async def test_what_was_taken_back_before_its_first_step_is_told_and_forgets_nothing():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        late = begin_late(refuses())
        late.answer.cancel()
        await asyncio.wait({late.answer})
        await asyncio.sleep(0)
        assert late.submitted.is_set()
        del late
        gc.collect()
    assert [str(each.message) for each in told] == []
