"""Loops go on whatever their work does, and say how it ended."""

import asyncio

from structlog.testing import capture_logs

from billing_service.domain.refusals import storage_unavailable
from billing_service.jobs.loops import Loop
from tests.support.patience import PATIENCE_S

NEVER_S = 3600.0


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - a counter, which nobody announces
            await asyncio.sleep(0.001)


async def test_a_loop_outlives_every_failure_and_counts_it():
    ends = iter([storage_unavailable(), ValueError("a defect"), None])

    async def work():
        end = next(ends, None)
        if end is not None:
            raise end

    with capture_logs() as lines:
        loop = Loop("work", work, 0.001)
        await until(lambda: loop.runs >= 2)
        await loop.stop()
    assert loop.failures == 2
    assert [line["log_level"] for line in lines if line["event"] == "job_failed"] == ["warning", "error"]


async def test_the_first_run_may_come_before_the_interval():
    async def work():
        """Done."""

    loops = [Loop("early", work, NEVER_S, first_s=0.001), Loop("late", work, NEVER_S)]
    await until(lambda: loops[0].runs == 1)
    for loop in loops:
        await loop.stop()
    assert [loop.runs for loop in loops] == [1, 0]
