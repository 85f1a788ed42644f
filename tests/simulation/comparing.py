"""Worlds that lose what Stripe has not told by a quiet point: a comparison with Stripe makes up for it."""

import json

from billing_service.reconcile.pace import Pace
from billing_service.reconcile.run import Reconciler, Task
from billing_service.reconcile.stages import STAGES, Cursor
from tests.simulation.model_account import expect

OF_MONEY = ("checkout.", "payment_intent.", "refund.", "charge.")
ASK_EVER_SO_OFTEN = 1_000_000


def lose(world):
    """Half of the untold events about money never come."""
    for number, (event_id, payload) in enumerate(world.stripe.events):
        if number in world.told or not json.loads(payload)["type"].startswith(OF_MONEY):
            continue
        if world.chance.random() < 0.5:
            world.told.add(number)
            world.stripe.lost.add(event_id)
            world.counts["lost event"] += 1


async def compare(world):
    """A whole comparison, which repairs."""
    reconciler, cursor = Reconciler(world.process.environment, Pace(ASK_EVER_SO_OFTEN)), Cursor()
    while not cursor.is_end:
        step = await reconciler.step(Task(0, 2**60, dry_run=False), cursor)
        for finding in step.findings:
            expect(finding.outcome.name == "REPAIRED", f"{STAGES[cursor.stage]}: {finding}")
            world.counts[f"found {finding.kind.name}"] += 1
        cursor = step.cursor
