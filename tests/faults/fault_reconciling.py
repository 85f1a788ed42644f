"""Comparisons with Stripe, struck by faults."""

from contextlib import suppress

from billing_service.domain.refusals import Failure
from billing_service.jobs.reconciliation import Reconciliation
from billing_service.reconcile.pace import Pace
from billing_service.reconcile.run import UNSENT_US, Reconciler
from billing_service.reconcile.stages import PENDING_REFUNDS, STAGES, Cursor
from billing_service.storage.rows.reconciling import StoredRun, keep_run, lease_run
from tests.faults.fault_operations import operation
from tests.support.doubles import SECOND_US
from tests.support.fault_service import Told

OWNER, FOR_EVER_US = "one", 2**60


def reconciling(ready):
    """Goes on with the job's run where Stripe is asked for refunds that were never sent, and to its end."""

    async def call(service):
        environment = service.environment
        job = Reconciliation(environment, Reconciler(environment, Pace(1_000_000)), OWNER)
        await job.run()
        assert job.completed_us is not None, "another process has it, or has taken it over"
        return [Told(await ready(service), replayed=False)]

    return call


def begun_at(stage):
    """A run of the job that was broken off before a stage."""

    def work():
        assert (yield from lease_run(OWNER, FOR_EVER_US, FOR_EVER_US)) is not None
        assert (yield from keep_run(OWNER, StoredRun(1, 2, Cursor(STAGES.index(stage)).text), 1))

    return work


def operations(bought, refund_request):
    @operation("send a refund by comparison", unkeyed=True)
    async def sent_by_comparison(service, tag):
        purchase_id, _ = await bought(service, tag)
        service.provider.unreachable_calls = 1
        with suppress(Failure):  # STRIPE_UNAVAILABLE
            await service.answer("refund", refund_request(tag, purchase_id))
        service.clock.advance_s(UNSENT_US // SECOND_US + 1)
        await service.store.write(begun_at(PENDING_REFUNDS))

        async def ready(_now):
            sent = [each.purchase_id for each in service.provider.stripe.refunds]
            assert sent.count(purchase_id) == 1, sent
            return "sent once"

        return reconciling(ready)

    return (sent_by_comparison,)
