"""What both clients keep of a comparison with Stripe: where it goes on, and how long it does without a connection."""

import time
from datetime import datetime

import grpc
from prepaid.billing.v1.reconciling_pb2 import ReconcileRequest, ReconcileResponse

from billing_client.error_details import billing_error
from billing_client.messages import message
from billing_client.retries import is_worth_repeating, pause_s
from billing_client.timestamps import timestamp_of


class Reconciliation:
    """One comparison over all its connections. `request` goes on after the newest part that came."""

    def __init__(
        self,
        start_time: datetime | None,
        end_time: datetime | None,
        *,
        dry_run: bool,
        reason: str,
        resume_token: str,
        purchase: str,
        timeout_s: float,
    ) -> None:
        self.request = message(
            ReconcileRequest,
            start_time=timestamp_of(start_time),
            end_time=timestamp_of(end_time),
            dry_run=dry_run,
            reason=reason,
            resume_token=resume_token,
            purchase=purchase,
        )
        self._timeout_s = timeout_s
        self._gives_up_s = time.monotonic() + timeout_s
        self._failures = 0

    def take(self, response: ReconcileResponse) -> bool:
        """Notes a part that came. Answers whether it was the last one."""
        self._failures, self._gives_up_s = 0, time.monotonic() + self._timeout_s
        self.request.resume_token = response.resume_token
        return not response.resume_token

    def pause_s(self, failure: grpc.RpcError) -> float:
        """Seconds before the next connection. Raises what ended the comparison where none is to follow."""
        error = billing_error(failure, self.request)
        self._failures += 1
        pause = pause_s(self._failures, error.retry_after_s)
        if not is_worth_repeating(error) or time.monotonic() + pause >= self._gives_up_s:
            raise error from failure
        return pause
