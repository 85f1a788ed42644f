"""Comparison with Stripe."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import grpc
from prepaid.billing.v1.reconciling_pb2 import ReconcileRequest, ReconcileResponse

from billing_client.asynchronous.connection import Connection
from billing_client.deadlines import timeout_s_of
from billing_client.headers import Headers, Pairs, overlaid
from billing_client.reconciling import Reconciliation


class ReconcileMethods(Connection):
    async def reconcile(
        self,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        dry_run: bool = True,
        reason: str = "",
        resume_token: str = "",
        purchase: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> AsyncIterator[ReconcileResponse]:
        """Compare what Stripe has with the ledger, part by part: the `findings` of each, and how much it compared.
        Nothing is changed unless `dry_run` is False. A connection that breaks is made anew, and goes on.

        `start_time`, `end_time`: what was made at Stripe in between; None: three days ago, and now. With a zone.
        `reason`: required where `dry_run` is False, for the audit log.
        `resume_token`: of the last part that came of an earlier comparison with the same times.
        `purchase`: only this one, by `pur_…`, `cs_…` or `pi_…`; its one part has what Stripe has of it, as `objects`.
        `timeout_s`: seconds for each time without a connection; None: 5.
        Raises PurchaseNotFound, StripeUnavailable, ValueError for a time without a zone, and what ended it otherwise.

            async for part in client.reconcile():
                for finding in part.findings:
                    print(finding.kind, finding.subject_id, finding.purchase_id)
        """
        seconds, metadata = timeout_s_of(ReconcileRequest(), timeout_s), overlaid(self._metadata, headers)
        run = Reconciliation(
            start_time,
            end_time,
            dry_run=dry_run,
            reason=reason,
            resume_token=resume_token,
            purchase=purchase,
            timeout_s=seconds,
        )
        async for part in self._parts(run, seconds, metadata):
            yield part

    async def _parts(self, run: Reconciliation, seconds: float, metadata: Pairs) -> AsyncIterator[ReconcileResponse]:
        while True:
            stubs = self._stubs_for("")
            try:
                await stubs.reach(seconds)
                call = stubs.admin.Reconcile(run.request, metadata=metadata)
                try:
                    async for part in call:
                        is_last = run.take(part)
                        yield part
                        if is_last:
                            return
                finally:
                    call.cancel()
            except grpc.RpcError as failed:
                self._lose(stubs)
                if self._was_closed(stubs):
                    return
                await asyncio.sleep(run.pause_s(failed))
            except asyncio.CancelledError:  # also how gRPC ends a call whose channel is closed
                task = asyncio.current_task()
                if not self._was_closed(stubs) or (task is not None and task.cancelling()):
                    raise
                return
            else:
                return
