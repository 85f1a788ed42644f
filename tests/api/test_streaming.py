"""A stream at the edge: each request answered in its turn, whatever becomes of it; every stream ends with a definite
status, and leaves nothing."""

import asyncio
import gc
import logging

import grpc
import pytest
from prepaid.billing.v1 import transactions_pb2

from billing_service.api.admission import DEDUCTIONS_PER_CALL, Admission, weight_of
from billing_service.api.server import ServerLimits
from billing_service.api.streams.streaming import UNANSWERED_MAX, StreamImplementation, build_stream_handler
from billing_service.domain.refusals import Failure, Reason
from tests.api.edge_server import BILLING, TIMEOUT_S, edge_server, eventually, refused, sample
from tests.api.edge_streams import LABELS, PATH, Held, answers, end_of, request, send


async def test_answers_come_in_the_order_of_requests_whichever_is_done_first():
    held = Held()
    async with edge_server({"StreamDeductions": held.implementation}) as edge:
        call = edge.stub.StreamDeductions()
        await send(call, *"abcd")
        await eventually(lambda: len(held.begun) == 4)
        held.answer(3, 1, 2)
        early = asyncio.ensure_future(call.read())
        await asyncio.sleep(0.02)
        assert not early.done()
        held.answer(0)
        first = await asyncio.wait_for(early, TIMEOUT_S)
        call.sequence = 1
        assert [first.outcome.deducted.transaction_id, *await answers(call, 3)] == [*"abcd"]
        await send(call, "e")
        await call.done_writing()
        await eventually(lambda: len(held.begun) == 5)
        held.answer()
        assert await answers(call, 1) == ["e"]
        assert await end_of(call) is grpc.StatusCode.OK
        await eventually(lambda: sample(edge, "grpc_server_handled_total", **LABELS, grpc_code="OK") == 1)
        assert edge.server.edge.admission.in_flight == 0


async def test_a_request_that_is_none_is_refused_in_its_turn_and_the_stream_goes_on():
    async with edge_server() as edge:
        call = edge.channel.stream_stream(
            PATH, response_deserializer=transactions_pb2.StreamDeductionsResponse.FromString
        )()
        for raw in (
            b"\xff\xff\xff",
            request("good").SerializeToString(),
            b"x" * 65_537,
            b"\x0a\x04\x0a\x02\xff\xfe",
            b"",
        ):
            await call.write(raw)
        assert await answers(call, 5) == ["INVALID_FIELD", "good", "INVALID_FIELD", "INVALID_FIELD", ""]
        await call.done_writing()
        assert await end_of(call) is grpc.StatusCode.OK


async def test_more_than_may_wait_is_not_read_and_comes_later():
    held = Held()
    async with edge_server({"StreamDeductions": held.implementation}) as edge:
        call = edge.stub.StreamDeductions()
        sending = asyncio.ensure_future(send(call, *range(UNANSWERED_MAX + 50)))
        await eventually(lambda: len(held.begun) == UNANSWERED_MAX)
        await asyncio.sleep(0.05)
        assert len(held.begun) == UNANSWERED_MAX
        held.answer(0)
        await eventually(lambda: len(held.begun) == UNANSWERED_MAX + 1)
        held.answer()
        await answers(call, UNANSWERED_MAX + 1)
        await eventually(lambda: len(held.begun) == UNANSWERED_MAX + 50)
        held.answer()
        assert await answers(call, 49) == [str(number) for number in range(UNANSWERED_MAX + 1, UNANSWERED_MAX + 50)]
        await sending
        call.cancel()


async def test_a_request_has_the_time_of_a_call_and_its_stream_goes_on():
    held = Held()
    async with edge_server(
        {"StreamDeductions": held.implementation}, limits=ServerLimits(deadline_default_s=1, grace_s=0.1)
    ) as edge:
        call = edge.stub.StreamDeductions()
        await send(call, "slow", "late")
        assert await answers(call, 2) == ["cancelled"] * 2
        held.at_once = True
        await send(call, "quick")
        assert await answers(call, 1) == ["quick"]
        call.cancel()


async def test_a_callers_own_deadline_ends_its_stream():
    held = Held()
    async with edge_server({"StreamDeductions": held.implementation}) as edge:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await edge.stub.StreamDeductions(timeout=0.001).read()
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        call = edge.stub.StreamDeductions(timeout=1)

        async def ask():
            await send(call, "a")
            await call.read()

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask()
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        held.answer()
        await eventually(lambda: edge.server.edge.admission.in_flight == 0)


async def test_a_stream_weighs_what_it_has_unanswered_and_overload_is_told_to_the_one_it_hits():
    held, most = Held(), 4
    async with edge_server(
        {"StreamDeductions": held.implementation}, limits=ServerLimits(in_flight_max=most, grace_s=0.1)
    ) as edge:
        admission = edge.server.edge.admission
        call = edge.stub.StreamDeductions()
        room = (most - 1) * DEDUCTIONS_PER_CALL
        for count in range(1, room + 1):
            await send(call, count)
            await eventually(lambda count=count: len(held.begun) == count)
            assert admission.in_flight == 1 + weight_of(count)
        await send(call, "too many")
        assert (await refused(edge.stub.StreamDeductions().read())).reason == "OVERLOADED"
        held.answer()
        assert (await answers(call, room + 1))[-1] == "OVERLOADED"
        await eventually(lambda: admission.in_flight == 1)
        await send(call, "again")
        await eventually(lambda: len(held.begun) == room + 1)
        held.answer()
        assert await answers(call, 1) == ["again"]
        await call.done_writing()
        assert await end_of(call) is grpc.StatusCode.OK
        assert admission.in_flight == 0


def test_a_call_that_weighs_more_than_there_is_room_for_is_taken_alone_or_not_at_all():
    admission = Admission(in_flight_max=10, in_flight=2)
    admission.take_more(8)
    assert admission.in_flight == 10
    admission.in_flight = 2
    with pytest.raises(Failure) as overloaded:
        admission.take_more(9)
    assert (overloaded.value.reason, admission.in_flight, admission.shed) == (Reason.OVERLOADED, 2, 1)
    admission.in_flight = 1
    admission.take_more(249)
    assert admission.in_flight == 250
    assert [weight_of(count) for count in (0, 1, 4, 5, 1000)] == [0, 1, 1, 2, 250]


async def test_a_caller_that_vanishes_takes_nothing_back_and_leaves_nothing(caplog):
    held = Held()
    async with edge_server({"StreamDeductions": held.implementation}) as edge:
        await edge.server.readiness.check()
        admission, tasks = edge.server.edge.admission, len(asyncio.all_tasks())
        call = edge.stub.StreamDeductions()
        await send(call, *range(9))
        await eventually(lambda: len(held.begun) == 9)
        call.cancel()
        await eventually(lambda: sample(edge, "grpc_server_handled_total", **LABELS, grpc_code="Canceled") == 1)
        assert not [future for future in held.begun if future.cancelled()], "what was submitted goes on"
        assert admission.in_flight == weight_of(9), "unfinished work of a caller that is gone weighs no more"
        held.answer(*range(5))
        await eventually(lambda: admission.in_flight == 1)
        for future in held.begun[5:]:
            future.set_exception(Failure(Reason.STORAGE_UNAVAILABLE, "down"))
        await eventually(lambda: admission.in_flight == 0 and not admission.streams)
        await eventually(lambda: len(asyncio.all_tasks()) <= tasks)
        del call
        held.begun.clear()
        gc.collect()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_caller_that_reads_no_answers_loses_its_place():
    """What it wrote fills the windows of HTTP/2, and then waits for no longer than a call may take."""
    big = "x" * 60_000
    limits = ServerLimits(deadline_default_s=0.3, grace_s=0.1)
    async with edge_server(limits=limits) as edge:
        options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_535)]
        async with grpc.aio.insecure_channel(edge.address, options) as channel:
            call = channel.stream_stream(PATH)()
            sending = asyncio.ensure_future(_send_raw(call, [request(big).SerializeToString()] * 60))
            await eventually(lambda: edge.server.edge.admission.in_flight > 1)
            await eventually(lambda: edge.server.edge.admission.in_flight == 0)
            assert not edge.server.edge.overdue.started
            sending.cancel()
            call.cancel()


async def _send_raw(call, messages):
    for message in messages:
        await call.write(message)


async def test_a_stream_is_logged_as_a_hot_method():
    for hot, levels in ((False, []), (True, [("debug", "OK")])):
        async with edge_server(log_hot_calls=hot) as edge:
            call = edge.stub.StreamDeductions()
            await call.done_writing()
            assert await end_of(call) is grpc.StatusCode.OK
            await eventually(lambda edge=edge: sample(edge, "grpc_server_handled_total", **LABELS, grpc_code="OK") == 1)
            assert [(line["level"], line["code"]) for line in edge.log.rpcs()] == levels


async def test_nothing_of_a_defect_reaches_the_caller():
    def encode(_sequence, _begun, _request, _call):
        raise RuntimeError("canary-hunter2")

    async with edge_server(
        {"StreamDeductions": StreamImplementation(lambda _request, _call: Failure(Reason.CONFLICT, ""), encode)}
    ) as edge:
        call = edge.stub.StreamDeductions()
        await send(call, "a")
        seen = await end_of(call)
        assert (seen.code, seen.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
        assert "hunter2" not in f"{seen} {await call.trailing_metadata()}"


def test_only_methods_that_stream_both_ways_are_streams():
    with pytest.raises(ValueError, match=r"DeductCredits does not stream"):
        build_stream_handler(BILLING.methods_by_name["DeductCredits"], Held().implementation, None)
