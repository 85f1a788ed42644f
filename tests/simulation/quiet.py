"""Quiet points: nothing fails any more, until everybody has been told everything; then what is stored must be true."""

import asyncio

from billing_service.integrity.verify import verify_ledger
from tests.simulation.comparing import compare, lose
from tests.simulation.model_account import expect
from tests.simulation.truth import check_truth
from tests.simulation.turns import until_quiet
from tests.simulation.world import Message

ROUNDS_MAX = 200
IDLE_STEPS_MAX = 1_000
"""Nothing that the service waits for by itself takes as many."""
LONG_METHODS = ("create_purchase", "refund")
"""Those that ask Stripe between two transactions."""
FORGETTING = 0.5
"""Of the quiet points, how many come only after Stripe has forgotten its keys."""


async def quiet(world):
    """Comes to one, and goes on from there."""
    world.faults.disarm()
    world.network.reliable = world.provider.reliable = True
    await _drain(world)
    if world.streams:
        await _end_streams(world)
    world.calm = True
    if world.chance.random() < FORGETTING:
        world._pass_day()
    for operation in world.workload.operations.values():
        # A refusal leaves the key free: the same request, doubled and late, may have begun something after all.
        operation.definite &= operation.reply is not None or operation.method not in LONG_METHODS
    if world.loses_events:
        lose(world)
        await finish(world, compare(world))
    await _resolve(world)
    check_truth(world.process.store.raw, world.stripe, world.model)
    await _give_back(world)
    await _verify(world)
    world.calm = False
    world.network.reliable = world.provider.reliable = False
    if world.streams:
        world.streams.begin_rough()


async def _resolve(world):
    """Everybody asks again until told."""
    for _ in range(ROUNDS_MAX):
        await _drain(world)
        waiting = [each for each in world.workload.operations.values() if not each.definite]
        untold = [number for number in range(len(world.stripe.events)) if number not in world.told]
        if not waiting and not untold:
            return
        for subject in (*(world.batches.resolving(waiting) if world.batches else waiting), *untold):
            world.network.send(Message("request", subject))
    expect(condition=False, words=f"no quiet: {waiting[:3]} {untold[:3]}")


async def _drain(world):
    """Until nobody waits any more."""
    idle = 0
    while world.serving or world.network.messages or (world.streams and world.streams.lines):
        idle += 1
        if world.network.messages:
            world._network()
            idle = 0
        elif (world.streams and world.streams.attend()) or world.turns.waiting():
            world._turn()
            idle = 0
        await world._let_run()
        expect(
            idle < IDLE_STEPS_MAX,
            f"these wait for ever: {[each.subject for each in world.serving]}; lines: {world.streams}",
        )


async def _end_streams(world):
    """What callers lost on streams is carried out; and a process that was drained makes place for the next."""
    await _give_back(world)
    world.streams.check_orphans()
    if world.process.admission.streams_ended:
        world.process.store.crash()
        await world._let_run()
    world.streams.begin_calm()


async def _give_back(world):
    """Nothing is under way; and what goes on without a caller leaves its place when it is done."""
    for process in world.process.all:
        admission = process.admission
        for _ in range(IDLE_STEPS_MAX):
            if admission.in_flight == 0:
                break
            world._turn()
            await world._let_run()
        expect(admission.in_flight == 0, f"{admission.in_flight} places are taken by no call")
        without_status = process.streams_without_status
        expect(without_status == 0, f"{without_status} streams have ended without a status")
        expect(not admission.streams and not process.overdue.started, "a stream is remembered that has ended")


async def finish(world, work):
    """What a piece of work comes to, whatever it waits for."""
    working = asyncio.ensure_future(work)
    while not working.done():
        world._turn()
        await until_quiet()
    return working.result()


async def _verify(world):
    report = await finish(world, verify_ledger(world.process.store))
    expect(not report.differences, f"verification finds {report.differences}")
