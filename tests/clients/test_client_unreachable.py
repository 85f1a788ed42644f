"""When nobody is there, the client says that nothing was sent, and says it only when that is certain."""

import asyncio
import socket
import threading
from contextlib import contextmanager, suppress

import grpc
import pytest
from billing_client import AsyncBillingClient, BillingClient, errors
from billing_client.blocking import connection

from tests.support.fake_service import Answer, Hang

pytestmark = pytest.mark.usefixtures("quick_retries")
DEDUCTION = {"account_id": "a", "amount_microcredits": 5}


@contextmanager
def listening(answer):
    """An address where whoever connects is given to `answer`."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)

        def run():
            with suppress(OSError):
                while True:
                    answer(listener.accept()[0])

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def hang_up(connected):
    connected.close()


def speak_http1(connected):
    with connected, suppress(OSError):
        connected.recv(65_536)
        connected.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


UNREACHABLE = {"nobody listens": None, "hangs up": hang_up, "is no gRPC": speak_http1}


@pytest.mark.parametrize("method", ["deduct_credits", "batch_deduct_credits", "get_balance"])
@pytest.mark.parametrize("answer", UNREACHABLE.values(), ids=UNREACHABLE)
async def test_without_a_connection_nothing_was_sent_and_the_error_says_so(call, method, answer):
    arguments = {"deduct_credits": DEDUCTION | {"idempotency_key": "mine"}, "get_balance": {"account_id": "a"}}
    with listening(answer) if answer else socket.create_server(("127.0.0.1", 0)) as place:
        address = place if answer else f"127.0.0.1:{place.getsockname()[1]}"
        if not answer:
            place.close()
        with pytest.raises(errors.ServiceUnreachable, match="nothing was sent") as raised:
            await call(method, address=address, **arguments.get(method, {"deductions": []}))
    assert not isinstance(raised.value, errors.OutcomeUnknown)
    assert (raised.value.status, raised.value.reason) == (grpc.StatusCode.UNAVAILABLE, "")
    assert address in raised.value.message
    assert raised.value.idempotency_key == ("mine" if method == "deduct_credits" else None)


async def test_a_machine_that_says_nothing_was_sent_nothing_either(call):
    kept = []
    with listening(kept.append) as address, pytest.raises(errors.ServiceUnreachable) as raised:
        await call("deduct_credits", address=address, timeout_s=0.3, **DEDUCTION)
    assert raised.value.status is grpc.StatusCode.DEADLINE_EXCEEDED
    for connected in kept:
        connected.close()


async def test_a_name_that_nobody_knows_is_said(call):
    with pytest.raises(errors.ServiceUnreachable, match=r"nowhere\.invalid"):
        await call("deduct_credits", address="dns:nowhere.invalid:1", timeout_s=20, **DEDUCTION)


async def test_a_relay_that_could_not_connect_is_no_proof_that_nothing_was_sent(call, service):
    """Its words are gRPC's own for a connection that did not come about; but it may have tried before."""
    words = "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.1:50051: Connection refused"
    service.script = [Answer(grpc.StatusCode.UNAVAILABLE, message=words)] * 4
    with pytest.raises(errors.OutcomeUnknown) as raised:
        await call("deduct_credits", **DEDUCTION)
    assert type(raised.value) is errors.OutcomeUnknown


async def test_a_service_that_ends_in_the_middle_leaves_the_outcome_unknown(call, service):
    service.script = [Hang()]
    begun = asyncio.ensure_future(call("deduct_credits", timeout_s=20, **DEDUCTION))
    await service.arrived()
    await asyncio.to_thread(service.stop)
    with pytest.raises(errors.OutcomeUnknown, match="an earlier attempt may have had its effect") as raised:
        await begun
    assert type(raised.value) is errors.OutcomeUnknown


async def test_a_service_that_ended_between_two_calls_was_sent_nothing(service, monkeypatch):
    monkeypatch.setattr(connection, "ANSWERED_RECENTLY_S", 0)
    with BillingClient(service.address) as blocking:
        async with AsyncBillingClient(service.address) as awaited:
            await asyncio.to_thread(blocking.deduct_credits, **DEDUCTION)
            await awaited.deduct_credits(**DEDUCTION)
            await asyncio.to_thread(service.stop)
            with pytest.raises(errors.ServiceUnreachable):
                await awaited.deduct_credits(**DEDUCTION)
            with pytest.raises(errors.ServiceUnreachable):
                await asyncio.to_thread(blocking.deduct_credits, **DEDUCTION)


async def test_a_service_that_has_no_health_is_called_all_the_same(call, service):
    service.health = grpc.StatusCode.UNIMPLEMENTED
    await call("deduct_credits", **DEDUCTION)
    assert len(service.attempts) == 1
