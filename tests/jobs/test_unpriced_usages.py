"""Usages that were charged without a price, counted and named for operators."""

from structlog.testing import capture_logs

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.events import BusinessEvent, EventKind
from billing_service.jobs.unpriced_usages import UnpricedUsages
from billing_service.storage.rows import outbox
from tests.support.doubles import START_US
from tests.support.ledger_setup import open_account

HOUR_US = 3_600_000_000


async def put(store, *events):
    def work():
        return (yield outbox.INSERT.many([outbox.row_of(Account("acme"), event) for event in events]))

    assert await store.write(work) == len(events)


def event(number, model, *, hours=0, kind=EventKind.UNPRICED_USAGE):
    detail = {"provider": "openai", "model": model, "missing": "model", "charged_microcredits": 5}
    return BusinessEvent(f"evt_{number}", kind, START_US + hours * HOUR_US, f"txn_{number}", detail)


async def test_those_of_the_last_day_are_counted_and_new_ones_are_named(store, clock, ids):
    job = UnpricedUsages(store, clock)
    await open_account(store, "acme", clock=clock, ids=ids)
    await put(store, event(1, "a"), event(2, "b", hours=2), event(3, "c", kind=EventKind.DEBT))
    clock.now_us = START_US + 3 * HOUR_US
    with capture_logs() as logs:
        await job.run()
        await job.run()
        await put(store, event(4, "c", hours=3))
        await job.run()
    told = [(each["count"], each["models"]) for each in logs if each["event"] == "usages_without_a_price"]
    assert told == [(2, ["openai a: model", "openai b: model"]), (3, ["openai c: model"])]
    clock.now_us = START_US + 25 * HOUR_US
    await job.run()
    assert job.count == 2
