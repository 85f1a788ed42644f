"""The loads of batches and streams count what really came back, item by item. No time is asserted here."""

import asyncio
from collections import Counter
from typing import Any

import grpc.aio
import pytest
from google.rpc import status_pb2
from prepaid.billing.v1 import transactions_pb2

from tests.bench import calls, load, stream_load
from tests.bench.test_load_generator import Recorder, run, serving

IN_FLIGHT = 16


class Many(Recorder):
    """The no-op, which remembers batches and streams, and refuses, swaps or drops what it is told to."""

    def __init__(self, refuse: int = 0, *, swap: int = 0, drop: int = 0) -> None:
        super().__init__()
        self.unanswered_max = 0
        self.streams = 0
        self._refuse, self._swap, self._drop = refuse, swap, drop

    async def BatchDeductCredits(self, request: Any, context: Any) -> Any:  # noqa: N802 - the stub's name
        self.requests.append(request)
        answer = await super().BatchDeductCredits(request, context)
        if len(self.requests) == self._refuse:
            answer.outcomes[50].refused.CopyFrom(status_pb2.Status(code=9))
        if len(self.requests) == self._drop:
            del answer.outcomes[0]
        return answer

    # The stub's name.
    async def StreamDeductions(self, request_iterator: Any, context: Any) -> Any:  # noqa: ARG002, N802
        self.streams += 1
        own = 0
        async for request in request_iterator:
            own += 1
            self.requests.append(request.deduction)
            outcome = transactions_pb2.DeductionOutcome(deducted=self._deducted)
            if len(self.requests) == self._refuse:
                outcome.refused.CopyFrom(status_pb2.Status(code=9))
            if len(self.requests) != self._drop:
                yield transactions_pb2.StreamDeductionsResponse(
                    sequence=own + (len(self.requests) == self._swap), outcome=outcome
                )


async def run_streams(port: int, **options: Any) -> load.Outcome:
    chosen = stream_load.StreamLoad(port=port, warm_up_s=0, measured_s=0.2, seed=1, **options)
    return await asyncio.to_thread(stream_load.run, chosen)


@pytest.mark.parametrize(
    ("told", "failed"), [({}, 0), ({"refuse": 7}, 1), ({"drop": 7}, 1)], ids=["none", "one refused", "one left out"]
)
async def test_a_batch_with_a_refused_item_is_no_success(told: dict[str, int], failed: int) -> None:
    many = Many(**told)  # type: ignore[abstract]
    async with serving(many) as port:
        outcome = await run(port=port, method="BatchDeductCredits", call_count=30, in_flight=4)
    assert (outcome.succeeded_total, outcome.errors) == (30 - failed, {"REFUSED_ITEMS": 1} if failed else {})
    assert outcome.items_per_second == 100 * outcome.calls_per_second > 0
    items = [item for request in many.requests for item in request.deductions]
    assert len(items) == 3_000 == len({item.idempotency_key for item in items})
    assert {item.amount_microcredits for item in items} == {calls.AMOUNT_MICROCREDITS}


@pytest.mark.parametrize(
    ("told", "errors"),
    [({}, {}), ({"refuse": 40}, {"REFUSED": 1}), ({"swap": 40}, {"OUT_OF_ORDER": 1})],
    ids=["all well", "one refused", "one out of order"],
)
async def test_each_answer_of_a_stream_is_looked_into(told: dict[str, int], errors: dict[str, int]) -> None:
    many = Many(**told)  # type: ignore[abstract]
    async with serving(many) as port:
        outcome = await run_streams(port, streams=3, in_flight=IN_FLIGHT, accounts=10)
    assert outcome.errors == errors
    assert outcome.succeeded_total == len(many.requests) - len(errors) > 3 * IN_FLIGHT
    assert 0 < outcome.measured_calls <= outcome.succeeded_total
    assert many.streams == 3
    assert len({deduction.idempotency_key for deduction in many.requests}) == len(many.requests)
    assert Counter(deduction.account_id for deduction in many.requests).keys() == {
        calls.account_id(index) for index in range(10)
    }


async def test_an_answer_that_never_comes_and_a_stream_that_is_cut_off_are_told() -> None:
    many = Many(drop=10)  # type: ignore[abstract]
    async with serving(many) as port:
        outcome = await run_streams(port, streams=1, in_flight=IN_FLIGHT)
    assert outcome.failed_total > 0
    assert any(what.endswith("WITH_1_UNANSWERED") for what in outcome.errors)

    class Cut(Many):
        async def StreamDeductions(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802 - the stub's name
            await super().StreamDeductions(request_iterator, context).__anext__()
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no more")

    async with serving(Cut()) as port:  # type: ignore[abstract]
        outcome = await run_streams(port, streams=1, in_flight=IN_FLIGHT)
    assert outcome.errors == {f"GRPC_STATUS_14_WITH_{IN_FLIGHT}_UNANSWERED": 1}
    assert outcome.succeeded_total == 0
