"""A client of asyncio may be made where no event loop runs, and be used in one after the other."""

import asyncio
import gc
import subprocess
import sys
import threading
import warnings

import pytest
from billing_client import AsyncBillingClient, errors
from prepaid.billing.v1.transactions_pb2 import DeductCreditsResponse

from tests.support.fake_service import Answer

MADE_AT_IMPORT = """
import asyncio, sys
from billing_client import AsyncBillingClient, errors

client = AsyncBillingClient(sys.argv[1])  # as a module does that others import

async def use():
    return await client.get_balance(account_id="a")

async def use_and_close():
    async with client:
        return await client.get_balance(account_id="a")

for run in (use, use, use_and_close, use_and_close, use):
    asyncio.run(run(), debug=True)
print("done")
"""


def test_a_client_made_at_import_time_is_used_in_five_loops(service):
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", MADE_AT_IMPORT, service.address]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (0, "done\n"), run.stderr
    assert [line for line in run.stderr.splitlines() if "grpc" not in line] == []
    assert [attempt.rpc for attempt in service.attempts] == ["GetBalance"] * 5


def test_each_loop_has_one_connection_and_those_of_ended_loops_are_given_up(service):
    client = AsyncBillingClient(service.address)

    async def use():
        for _ in range(3):
            await client.get_balance(account_id="a")
        return client._stubs

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = [asyncio.run(use()) for _ in range(4)]
        gc.collect()
    assert len(set(map(id, seen))) == 4
    assert len(client._loops) == 1, "channels of loops that have ended pile up"


def test_loops_that_run_at_the_same_time_do_not_meet(service):
    client, failures = AsyncBillingClient(service.address), []

    async def use():
        await asyncio.gather(*(client.deduct_credits(account_id="a", amount_microcredits=1) for _ in range(20)))

    def run():
        try:
            for _ in range(3):
                asyncio.run(use())
        except BaseException as failure:  # noqa: BLE001 - shown by the test
            failures.append(failure)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len({attempt.request.idempotency_key for attempt in service.attempts}) == 4 * 3 * 20


def test_a_stream_belongs_to_the_loop_that_it_was_opened_in(service):
    client = AsyncBillingClient(service.address)
    with pytest.raises(RuntimeError, match="no running event loop"):
        client.stream_deductions()


@pytest.mark.parametrize("reason", ["STORAGE_UNAVAILABLE", ""])
def test_a_key_of_one_loop_is_repeated_in_the_next(service, quick_retries, reason):  # noqa: ARG001 - a fixture
    client = AsyncBillingClient(service.address)
    unavailable = Answer(errors.grpc.StatusCode.UNAVAILABLE, reason)
    service.script = [*[unavailable] * 4, DeductCreditsResponse(transaction_id="txn_1")]

    async def deduct(key=None):
        return await client.deduct_credits(account_id="a", amount_microcredits=1, idempotency_key=key)

    with pytest.raises(errors.OutcomeUnknown) as unknown:
        asyncio.run(deduct())
    assert asyncio.run(deduct(unknown.value.idempotency_key)).transaction_id == "txn_1"
    assert {attempt.request.idempotency_key for attempt in service.attempts} == {unknown.value.idempotency_key}
