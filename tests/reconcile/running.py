"""Whole runs of a reconciler, and what they found."""

from billing_service.reconcile.run import Task
from billing_service.reconcile.stages import Cursor
from tests.support.doubles import DAY_US, START_US

PAID = "checkout.session.completed"
WINDOW = START_US - DAY_US, START_US + DAY_US


async def reconciled(reconciler, *, dry_run=False, window=WINDOW):
    """All findings of one run, in order."""
    cursor, found = Cursor(), []
    while not cursor.is_end:
        step = await reconciler.step(Task(*window, dry_run), cursor)
        found += step.findings
        cursor = step.cursor
    return found


async def paid_page(world):
    """A purchase that was paid, of which the service knows all."""
    page = await world.open_page()
    await world.deliver(world.event(PAID, page.session()))
    await world.deliver(world.event("payment_intent.succeeded", page.payment()))
    return page


def short(findings):
    """Kind, outcome and object of each."""
    return [(each.kind.name, each.outcome.name, each.stripe_object_id) for each in findings]
