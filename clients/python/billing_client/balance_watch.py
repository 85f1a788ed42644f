"""What both clients keep of a watch of a balance: what was shown last, and how long it does without a connection."""

import time

import grpc
from prepaid.billing.v1.accounts_pb2 import Balance, WatchBalanceRequest

from billing_client.error_details import billing_error
from billing_client.messages import message
from billing_client.retries import is_worth_repeating, pause_s


class BalanceWatch:
    """One watch over all its connections. `request` goes on after the newest balance that was shown."""

    def __init__(self, account_id: str, after_version: int, timeout_s: float) -> None:
        self.request = message(WatchBalanceRequest, account_id=account_id, after_version=after_version)
        self._timeout_s = timeout_s
        self._gives_up_s = time.monotonic() + timeout_s
        self._failures = 0
        self._last: Balance | None = None

    def is_news(self, balance: Balance) -> bool:
        """Whether a balance that came says something else than the one before, and is not older: after a connection
        that broke, another process begins with the present one."""
        self._failures, self._gives_up_s = 0, time.monotonic() + self._timeout_s
        last = self._last
        if last is not None:
            if _moment(balance) < _moment(last):
                return False
            last.as_of_time.CopyFrom(balance.as_of_time)
            if last == balance:
                return False
        self._last = Balance()
        self._last.CopyFrom(balance)
        self.request.after_version = balance.account_version
        return True

    def pause_s(self, failure: grpc.RpcError) -> float:
        """Seconds before the next connection. Raises what ended the watch where none is to follow."""
        error = billing_error(failure, self.request)
        self._failures += 1
        pause = pause_s(self._failures, error.retry_after_s)
        if not is_worth_repeating(error) or time.monotonic() + pause >= self._gives_up_s:
            raise error from failure
        return pause


def _moment(balance: Balance) -> tuple[int, int]:
    return balance.account_version, balance.as_of_time.ToMicroseconds()
