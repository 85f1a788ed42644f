"""What a comparison of many purchases with Stripe costs, against asking for them one by one at the same sandbox.

python -m tests.bench.reconcile_cost --objects 10000
"""

import argparse
import asyncio
import logging
import tempfile
from pathlib import Path
from time import perf_counter

import structlog

from billing_service.payments.objects import checkout_session, payment_intent
from billing_service.reconcile.pace import Pace
from billing_service.reconcile.run import Reconciler, Task
from billing_service.reconcile.stages import Cursor
from tests.support.stack import running_stack

AT_ONCE = 16
FOR_EVER_US = 4_000_000_000_000_000
UNBOUNDED = 1_000_000
"""Requests a second: what is measured is the work, and not the pace."""
QUIET = {"BILLING_RECONCILE_INTERVAL_S": "0"}


async def bought(stack, count):
    """So many purchases that were paid, each of an account of its own."""
    numbers = iter(range(count))

    async def buy():
        for number in numbers:
            made = await stack.client.create_purchase(account_id=f"account-{number}", package_code="starter")
            await stack.pay(made.purchase.checkout_url)

    await asyncio.gather(*(buy() for _ in range(AT_ONCE)))
    while not (await stack.control("webhooks/drain", {"timeout_s": 10}))["drained"]:
        pass


async def listed(environment):
    """Seconds of a whole comparison, and what it compared."""
    reconciler, cursor, compared = Reconciler(environment, Pace(UNBOUNDED)), Cursor(), 0
    begun = perf_counter()
    while not cursor.is_end:
        step = await reconciler.step(Task(0, FOR_EVER_US, dry_run=False), cursor)
        assert not step.findings, step.findings[:1]
        cursor, compared = step.cursor, compared + step.compared
    return perf_counter() - begun, compared


async def one_by_one(environment, ids):
    """Seconds of asking for each, and comparing it."""
    reconciler, begun = Reconciler(environment, Pace(UNBOUNDED)), perf_counter()
    for kind, object_id in ids:
        about = await environment.listings.get_object(kind, object_id)
        assert not await reconciler.compare(kind, [about], dry_run=False)
    return perf_counter() - begun


async def known(client):
    """Kind and id of every checkout and payment."""
    return [
        pair
        async for each in client.iter_all_purchases(page_size=1_000)
        for pair in (
            (checkout_session.KIND, each.checkout_session_id),
            (payment_intent.KIND, each.payment_intent_id),
        )
    ]


async def measure(count):
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as directory:
        async with running_stack(f"sqlite:///{Path(directory) / 'billing.db'}", **QUIET) as stack:
            await bought(stack, count)
            environment, ids = stack.service.environment, await known(stack.client)
            whole_s, compared = await listed(environment)
            single_s = await one_by_one(environment, ids)
    each_ms, whole_each_ms = single_s / len(ids) * 1e3, whole_s / compared * 1e3
    print(f"listed: {compared:,} objects in {whole_s:.2f} s, {whole_each_ms:.3f} ms each")  # noqa: T201 - the report
    print(f"one by one: {len(ids):,} objects in {single_s:.2f} s, {each_ms:.3f} ms each")  # noqa: T201
    print(f"share: {whole_each_ms / each_ms:.1%}; the target is 40 %")  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=10_000, help="checkouts and payments together")
    asyncio.run(measure(parser.parse_args().objects // 2))
