"""Limits of what accounts and spenders may charge."""

from prepaid.billing.v1.spend_limits_pb2 import SetSpendLimitRequest, SetSpendLimitResponse, SpendWindow

from billing_client.blocking.connection import Connection
from billing_client.headers import Headers
from billing_client.idempotency import key_or_new
from billing_client.messages import message


class SpendLimitMethods(Connection):
    def set_spend_limit(
        self,
        *,
        account_id: str,
        window: SpendWindow.ValueType,
        limit_microcredits: int | None,
        spender_id: str = "",
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> SetSpendLimitResponse:
        """Limit what may be charged in a day, in a month or in all; read limits with `get_account`.

        `window`: SPEND_WINDOW_DAY, SPEND_WINDOW_MONTH or SPEND_WINDOW_NONE.
        `limit_microcredits`: 0 to 10^15; None removes the limit. A change keeps what is used.
        `spender_id`: whose limit, 1 to 128 characters; empty for the account itself, at which every charge counts.
        Raises AccountNotFound, TooManySpendLimits, SpenderNotAllowed.

            limited = client.set_spend_limit(
                account_id="user-1",
                spender_id="agent-7",
                window=SpendWindow.SPEND_WINDOW_DAY,
                limit_microcredits=5_000_000,
            )
            print([(limit.window, limit.left_microcredits) for limit in limited.spend_limits])
        """
        request = message(
            SetSpendLimitRequest,
            account_id=account_id,
            spender_id=spender_id,
            window=window,
            limit_microcredits=limit_microcredits,
            idempotency_key=key_or_new(idempotency_key),
        )
        return self._call(self._billing.SetSpendLimit, request, timeout_s, headers)
