"""Several addresses: an account's calls go to one of them, an address that is lost costs no call, and any address
answers."""

import asyncio
import socket
import time
from collections import Counter
from contextlib import ExitStack
from itertools import chain

import pytest
from billing_client import AsyncBillingClient, BillingClient, Deduction, errors, routing
from prepaid.billing.v1.transactions_pb2 import (
    BatchDeductCreditsResponse,
    DeductCreditsResponse,
    DeductionOutcome,
    StreamDeductionsResponse,
)

from tests.support.fake_service import FakeService, running_fake_service
from tests.support.patience import PATIENCE_S

CLIENTS = ["blocking", "asyncio"]
NAMES = [f"user-{number}" for number in range(40)]


class Everywhere(FakeService):
    """Answers deductions, batches and streams with the key as the transaction."""

    def _answer(self, method, request, context):
        if method.name == "BatchDeductCredits":
            outcomes = [DeductionOutcome(deducted=answer(each)) for each in request.deductions]
            self.script = [BatchDeductCreditsResponse(outcomes=outcomes)]
        return super()._answer(method, request, context)

    def accounts(self):
        """How many attempts came of each account."""
        return Counter(attempt.request.account_id for attempt in self.attempts)


def answer(request):
    return DeductCreditsResponse(transaction_id=request.idempotency_key)


def converse(received, requests, _context):
    for count, request in enumerate(requests, 1):
        received.append(request)
        yield StreamDeductionsResponse(sequence=count, outcome=DeductionOutcome(deducted=answer(request.deduction)))


@pytest.fixture
def services():
    with ExitStack() as stack:
        made = [stack.enter_context(running_fake_service(Everywhere())) for _ in range(3)]
        for service in made:
            service.converse = converse
        yield made


@pytest.fixture
def nowhere():
    """Addresses where nobody listens."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(6)]
        for bound in sockets:
            bound.bind(("127.0.0.1", 0))
        yield [f"127.0.0.1:{bound.getsockname()[1]}" for bound in sockets]


def listed(*services):
    return ",".join(getattr(service, "address", service) for service in services)


async def calling(kind, target, calls, **options):
    """The answers or errors of calls, each a method and its arguments, one after the other on one client."""

    def blocking():
        with BillingClient(target, **options) as client:
            return [caught(getattr(client, method), arguments) for method, arguments in calls]

    if kind == "blocking":
        return await asyncio.to_thread(blocking)
    async with AsyncBillingClient(target, **options) as client:
        told = []
        for method, arguments in calls:
            told += await asyncio.gather(getattr(client, method)(**arguments), return_exceptions=True)
        return told


def caught(method, arguments):
    try:
        return method(**arguments)
    except errors.BillingError as error:
        return error


def deductions(names):
    return [("deduct_credits", {"account_id": name, "amount_microcredits": 1}) for name in names]


@pytest.mark.parametrize("kind", CLIENTS)
async def test_an_accounts_calls_go_to_one_address_and_others_go_round(kind, services):
    await calling(kind, listed(*services), deductions(NAMES * 2))
    found = [service.accounts() for service in services]
    assert sum(found, Counter()) == Counter(NAMES * 2)
    assert all(len(accounts) > 4 for accounts in found), "each has its share"
    assert not set.intersection(*(set(accounts) for accounts in found))
    assert {count for accounts in found for count in accounts.values()} == {2}
    await calling(kind, listed(*services), [("list_rate_cards", {})] * 6)
    assert [len(service.attempts) - accounts.total() for service, accounts in zip(services, found, strict=True)] == [
        2,
        2,
        2,
    ]


@pytest.mark.parametrize("kind", CLIENTS)
async def test_all_addresses_are_wrong_but_one(kind, services, nowhere):
    told = await calling(kind, listed(*nowhere, services[0]), deductions(NAMES))
    assert not [each for each in told if isinstance(each, Exception)]
    assert services[0].accounts() == Counter(NAMES)


@pytest.mark.parametrize("kind", CLIENTS)
async def test_all_addresses_are_wrong(kind, nowhere):
    begun = time.monotonic()
    (told,) = await calling(
        kind,
        listed(*nowhere),
        [("deduct_credits", {"account_id": "a", "amount_microcredits": 1, "timeout_s": 2})],
    )
    assert isinstance(told, errors.ServiceUnreachable)
    assert "nothing was sent" in str(told)
    assert time.monotonic() - begun < 2 + PATIENCE_S / 2


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_service_that_can_not_do_its_work_is_passed_over(kind, services):
    services[0].health = b"\x08\x02"
    told = await calling(kind, listed(*services[:2]), deductions(NAMES))
    assert not [each for each in told if isinstance(each, Exception)]
    assert (len(services[0].attempts), len(services[1].attempts)) == (0, len(NAMES))


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_batch_is_split_by_address_and_answered_in_order(kind, services, nowhere):
    wanted = [Deduction(account_id=name, amount_microcredits=1) for name in NAMES for _ in range(3)]
    target = listed(*services, nowhere[0])
    (told,) = await calling(kind, target, [("batch_deduct_credits", {"deductions": wanted})])
    assert [each.transaction_id for each in told] == [each.idempotency_key for each in wanted]
    seen = [
        [deduction.account_id for attempt in service.attempts for deduction in attempt.request.deductions]
        for service in services
    ]
    assert sorted(chain.from_iterable(seen)) == sorted(NAMES * 3)
    assert all(accounts for accounts in seen)
    keys = {each.account_id: [] for each in wanted}
    for service in services:
        for attempt in service.attempts:
            for deduction in attempt.request.deductions:
                keys[deduction.account_id].append(deduction.idempotency_key)
    for name in NAMES:
        assert keys[name] == [each.idempotency_key for each in wanted if each.account_id == name], "in its order"
    (told,) = await calling(kind, listed(*nowhere), [("batch_deduct_credits", {"deductions": wanted, "timeout_s": 2})])
    assert isinstance(told, errors.ServiceUnreachable)


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_stream_is_split_by_address_and_answered_in_order(kind, services):
    wanted = [Deduction(account_id=name, amount_microcredits=1) for _ in range(3) for name in NAMES]
    target, shown = listed(*services), []

    def blocking():
        with BillingClient(target) as client, client.stream_deductions(outstanding_max=20) as stream:
            sent = [stream.send(deduction) for deduction in wanted]
        return [each.result() for each in sent]

    async def running():
        async with AsyncBillingClient(target) as client:
            async with client.stream_deductions(outstanding_max=20) as stream:
                sent = []
                for deduction in wanted:
                    sent.append(await stream.send(deduction))
                    assert stream.outstanding <= 20
                    sent[-1].add_done_callback(lambda done: shown.append(done.result().transaction_id))
            await asyncio.sleep(0)
            return [await each for each in sent]

    told = await (asyncio.to_thread(blocking) if kind == "blocking" else running())
    keys = [each.idempotency_key for each in wanted]
    assert [each.transaction_id for each in told] == keys
    assert kind == "blocking" or shown == keys
    by_service = [[request.deduction for stream in service.streams for request in stream] for service in services]
    assert sum(map(len, by_service)) == len(wanted)
    assert not set.intersection(*({each.account_id for each in seen} for seen in by_service))
    for seen in by_service:
        for name in {each.account_id for each in seen}:
            of_account = [each.idempotency_key for each in seen if each.account_id == name]
            assert of_account == [each.idempotency_key for each in wanted if each.account_id == name]


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_stream_goes_on_where_somebody_is(kind, services, nowhere):
    wanted = [Deduction(account_id=name, amount_microcredits=1) for name in NAMES]

    def blocking():
        with BillingClient(listed(*nowhere, services[0])) as client, client.stream_deductions() as stream:
            sent = [stream.send(deduction) for deduction in wanted]
        return [each.result() for each in sent]

    async def running():
        async with AsyncBillingClient(listed(*nowhere, services[0])) as client, client.stream_deductions() as stream:
            sent = [await stream.send(deduction) for deduction in wanted]
            return [await each for each in sent]

    told = await (asyncio.to_thread(blocking) if kind == "blocking" else running())
    assert [each.transaction_id for each in told] == [each.idempotency_key for each in wanted]


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_name_has_all_of_its_addresses_and_new_ones_soon(kind, services, monkeypatch):
    known = [services[0]]
    monkeypatch.setattr(routing, "resolve", lambda _name, _port: tuple(f"ipv4:{each.address}" for each in known))

    port = services[0].address.rpartition(":")[2]
    target = f"dns:localhost:{port}"
    if kind == "blocking":
        with BillingClient(target, plaintext=True) as client:
            client.get_balance(account_id="user-1")
            known.append(services[1])
            begun = time.monotonic()
            while not services[1].attempts:
                await asyncio.to_thread(client.get_balance, account_id=f"user-{len(services[0].attempts)}")
            seconds = time.monotonic() - begun
    else:
        async with AsyncBillingClient(target, plaintext=True) as client:
            await client.get_balance(account_id="user-1")
            known.append(services[1])
            begun = time.monotonic()
            while not services[1].attempts:
                await client.get_balance(account_id=f"user-{len(services[0].attempts)}")
            seconds = time.monotonic() - begun
    assert seconds < 1 + PATIENCE_S / 10
