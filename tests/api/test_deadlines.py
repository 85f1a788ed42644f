"""Deadlines and cancellation: every call ends with a definite status, in time, whoever gave up first."""

import asyncio
import logging
import time

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass

from billing_service.api.call_log import HOT_METHODS
from billing_service.api.deadlines import OverdueCalls
from billing_service.api.requests import caller
from billing_service.api.server import ServerLimits
from tests.api.edge_server import (
    ANSWER,
    BILLING,
    REQUEST,
    TIMEOUT_S,
    Gate,
    edge_server,
    eventually,
    raising,
    refused,
    sample,
)

OF_AN_ENDED_LOOP = "PollerCompletionQueue._handle_events"
"""gRPC says this where the event loop of another test ended before it."""
STREAMS = {method.name for method in BILLING.methods if method.client_streaming or method.server_streaming}


@pytest.mark.parametrize("timeout_s", [0.001, 0.005, 0.019])
async def test_a_deadline_too_near_begins_nothing(timeout_s):
    begun = []

    async def implementation(_request, _call):
        begun.append(1)
        return ANSWER

    async with edge_server({"DeductCredits": implementation}) as edge:
        await edge.channel.channel_ready()
        for _ in range(20):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await edge.stub.DeductCredits(REQUEST, timeout=timeout_s)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert begun == []


async def test_the_callers_deadline_reaches_the_implementation():
    seen = {}

    async def implementation(_request, call):
        seen[len(seen)] = (call.remaining_s, call.deadline - time.monotonic())
        return ANSWER

    async with edge_server(
        {"DeductCredits": implementation}, limits=ServerLimits(deadline_default_s=7, grace_s=0.1)
    ) as edge:
        await edge.stub.DeductCredits(REQUEST, timeout=3)
        await edge.stub.DeductCredits(REQUEST)
        await edge.stub.DeductCredits(REQUEST, timeout=60)
    # gRPC sends what is left rounded up: to 10 ms between one second and ten.
    limits = [3.01, 7, 7]
    assert all(limit - 2 < remaining <= limit for limit, (remaining, _) in zip(limits, seen.values(), strict=True)), (
        seen
    )
    assert all(remaining - 1 < left <= remaining for remaining, left in seen.values()), seen


@pytest.mark.parametrize("timeout_s", [None, 60.0])
async def test_a_call_that_never_returns_is_answered_at_the_services_own_deadline(timeout_s):
    gate = Gate()
    async with edge_server(
        {"DeductCredits": gate.wait}, limits=ServerLimits(deadline_default_s=0.1, grace_s=0.1)
    ) as edge:
        calls = [asyncio.ensure_future(refused(edge.stub.DeductCredits(REQUEST, timeout=timeout_s))) for _ in range(3)]
        for seen in await asyncio.wait_for(asyncio.gather(*calls), 10):
            assert (seen.code, seen.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
        assert gate.left == ["cancelled"] * 3
        assert edge.server.edge.admission.in_flight == 0
        assert not edge.server.edge.overdue.started
        assert not edge.server.edge.overdue.canceled


async def test_calls_that_end_in_time_are_not_cancelled_later():
    async with edge_server(limits=ServerLimits(deadline_default_s=1, grace_s=0.1)) as edge:
        for _ in range(30):
            await edge.stub.DeductCredits(REQUEST)
        await asyncio.sleep(1.1)  # the time of each is over
        await edge.stub.DeductCredits(REQUEST)
        assert not edge.server.edge.overdue.started
        assert not edge.server.edge.overdue.canceled


async def test_overdue_calls_fall_due_oldest_first():
    async def wait_for_ever():
        await asyncio.Event().wait()

    overdue = OverdueCalls(limit_s=10.0)
    tasks = [asyncio.create_task(wait_for_ever()) for _ in range(3)]
    now = asyncio.get_running_loop().time()
    for task, age in zip(tasks, (20.0, 10.0, 1.0), strict=True):
        overdue.watch(task, now - age)
    overdue._cancel_due()
    await asyncio.wait(tasks[:2])
    assert [task.done() for task in tasks] == [True, True, False]
    assert [overdue.forget(task) for task in tasks] == [True, True, False]
    overdue.close()
    tasks[2].cancel()
    await asyncio.wait(tasks)


@pytest.mark.parametrize("draining", [False, True])
async def test_a_cancellation_from_within_is_answered(draining):
    async with edge_server({"DeductCredits": raising(asyncio.CancelledError())}) as edge:
        edge.server.edge.admission.draining = draining
        seen = await refused(edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S))
        assert seen.code is grpc.StatusCode.UNAVAILABLE
        assert seen.reason == ("SHUTTING_DOWN" if draining else "CONFLICT")
        assert seen.retry_ms


async def test_a_task_that_is_cancelled_by_a_stranger_is_answered_too():
    async def implementation(_request, _call):
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    async with edge_server({"DeductCredits": implementation}) as edge:
        with pytest.raises(grpc.aio.AioRpcError):
            await edge.stub.DeductCredits(REQUEST)


async def test_a_caller_that_hangs_up_leaves_nothing_behind(caplog):
    gate = Gate()
    async with edge_server({"DeductCredits": gate.wait}) as edge:
        hung_up = edge.stub.DeductCredits(REQUEST)
        await gate.entered.acquire()
        labels = {"grpc_service": BILLING.full_name, "grpc_method": "DeductCredits"}

        def handled(code):
            return sample(edge, "grpc_server_handled_total", **labels, grpc_code=code)

        hung_up.cancel()
        await eventually(lambda: handled("Canceled") == 1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await edge.stub.DeductCredits(REQUEST, timeout=0.2)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await eventually(lambda: len(gate.left) == 2 and edge.server.edge.admission.in_flight == 0)
        # The caller's clock may run out a moment before the service's does: then it looks as if it had hung up.
        await eventually(lambda: handled("Canceled") + handled("DeadlineExceeded") == 2)
        gate.open.set()
        assert (await edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S)).transaction_id == "txn_1"
    grave = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [words for words in grave if OF_AN_ENDED_LOOP not in words] == []


class Ended:
    """The context of a call that has ended: grpcio's own would kill the process."""

    def peer(self):
        raise AssertionError("asked for its peer after its end")


@pytest.mark.parametrize(
    "name", [method.name for method in BILLING.methods if method.name not in HOT_METHODS | STREAMS], ids=str
)
async def test_a_write_may_name_its_caller_after_the_call_has_ended(name):
    ended, method = [], BILLING.methods_by_name[name]

    async def implementation(_request, call):
        ended.append((call, str(call.context.peer())))
        return GetMessageClass(method.output_type)()

    async with edge_server({name: implementation}) as edge:
        await getattr(edge.stub, name)(GetMessageClass(method.input_type)())
    ((call, peer),) = ended
    call.context = Ended()
    assert caller(call).peer == peer
    assert peer.startswith("ipv4:127.0.0.1:")
