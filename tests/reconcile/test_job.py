"""The job that compares with Stripe: one process at a time, and on from where a run was broken off."""

import pytest

from billing_service.domain.refusals import Failure
from billing_service.jobs.reconciliation import FIRST_WINDOW_US, LEASE_US, OVERLAP_US, SETTLE_US, Reconciliation
from billing_service.reconcile.findings import Outcome
from billing_service.reconcile.pace import Pace
from billing_service.reconcile.run import Reconciler
from billing_service.storage.rows.reconciling import READ_RUN
from tests.support.doubles import SECOND_US, START_US
from tests.support.event_world import CREDITS


@pytest.fixture
def job(world):
    def by(owner="one"):
        return Reconciliation(world.environment, Reconciler(world.environment, Pace(1_000_000)), owner)

    return by


async def stored(world):
    def work():
        return (yield READ_RUN())

    [row] = await world.store.read(work)
    return tuple(row)


async def test_a_run_repairs_and_the_next_begins_where_it_ended(world, job):
    windows, listings = [], world.provider.stripe
    list_created = listings.list_created

    def noted(kind, since_us, until_us, after):
        windows.append((since_us, until_us))
        return list_created(kind, since_us, until_us, after)

    listings.list_created = noted
    page = await world.open_page()
    listings.objects = {"checkout.session": [page.session()]}
    running = job()
    await running.run()
    until_us = START_US - SETTLE_US
    assert set(windows) == {(until_us - FIRST_WINDOW_US, until_us)}
    assert (await page.stands())["available"] == CREDITS
    assert running.findings == {Outcome.REPAIRED: 1, Outcome.LEFT: 0}
    assert (running.compared, running.completed_us) == (1, START_US)
    assert await stored(world) == (until_us - FIRST_WINDOW_US, until_us, "")
    [line] = [line for line in world.said if line["event"] == "stripe_differed"]
    assert (line["log_level"], line["kind"], line["purchase_id"]) == (
        "warning",
        "PURCHASE_NOT_COMPLETED",
        page.purchase_id,
    )
    windows.clear()
    world.service.clock.advance_s(3_600)
    await job("two").run()
    assert set(windows) == {(until_us - OVERLAP_US, until_us + 3_600 * SECOND_US)}, "whichever process it is"


async def test_what_a_person_must_see_is_an_error(world, job):
    page = await world.open_page()
    world.provider.stripe.objects = {"checkout.session": [page.session(currency="eur")]}
    await job().run()
    [line] = [line for line in world.said if line["event"] == "stripe_differed"]
    assert (line["log_level"], line["outcome"]) == ("error", "LEFT")


async def test_a_run_that_was_broken_off_goes_on_by_whoever_comes_first(world, job):
    page = await world.open_page()
    world.provider.stripe.objects = {"checkout.session": [page.session()], "refund": [page.refund()]}
    one, two = job("one"), job("two")
    calls = []

    def noted(kind, since_us, until_us, after):
        calls.append(kind)
        return list_created(kind, since_us, until_us, after)

    list_created, world.provider.stripe.list_created = world.provider.stripe.list_created, noted
    original = one._reconciler.step

    async def dies(task, cursor):
        if cursor.stage == 2:
            world.provider.unreachable_calls = 1
        return await original(task, cursor)

    one._reconciler.step = dies
    with pytest.raises(Failure):
        await one.run()
    assert one.completed_us is None
    _, _, cursor = await stored(world)
    assert cursor == "2:"
    calls.clear()
    await two.run()
    assert calls == [], "another process has it"
    world.service.clock.advance_s(LEASE_US // SECOND_US + 1)
    await two.run()
    assert calls[0] == "refund", "not from the beginning"
    assert (await page.stands())["available"] == CREDITS - 300
    assert two.completed_us is not None
    assert (await stored(world))[2] == ""


async def test_the_same_process_goes_on_at_once(world, job):
    one = job()
    world.provider.unreachable_calls = 1
    with pytest.raises(Failure):
        await one.run()
    await one.run()
    assert one.completed_us is not None


async def test_one_whose_lease_was_taken_keeps_nothing(world, job):
    one, two = job("one"), job("two")
    original = one._reconciler.step
    taken = []

    async def overtaken(task, cursor):
        if not taken:
            taken.append(cursor)
            world.service.clock.advance_s(LEASE_US // SECOND_US + 1)
            await two.run()
        return await original(task, cursor)

    one._reconciler.step = overtaken
    await one.run()
    assert one.completed_us is None
    assert two.completed_us is not None
    assert any(line["event"] == "reconciliation_lease_lost" for line in world.said)


async def test_a_shutdown_ends_it_after_a_step(world, job):
    one = job()
    original = one._reconciler.step

    async def stopping(task, cursor):
        one.stop()
        return await original(task, cursor)

    one._reconciler.step = stopping
    await one.run()
    assert (await stored(world))[2] == "1:"
    assert one.completed_us is None
    two = job("two")
    await two.run()
    assert two.completed_us is not None, "at once: nobody has it any more"
