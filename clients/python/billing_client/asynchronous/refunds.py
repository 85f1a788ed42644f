"""Derived by derive_async.py; change its blocking twin instead. Money going back to customers."""

from collections.abc import AsyncIterator

from prepaid.billing.v1.refunds_pb2 import (
    REFUND_POLICY_UNUSED_ONLY,
    GetRefundRequest,
    GetRefundResponse,
    ListRefundsRequest,
    ListRefundsResponse,
    QuoteRefundRequest,
    QuoteRefundResponse,
    Refund,
    RefundPolicy,
    RefundRequest,
    RefundResponse,
)

from billing_client.asynchronous.connection import Connection
from billing_client.headers import Headers
from billing_client.idempotency import key_or_new
from billing_client.messages import message


class RefundMethods(Connection):
    async def quote_refund(
        self,
        *,
        purchase_id: str,
        amount_minor: int | None = None,
        policy: RefundPolicy.ValueType = REFUND_POLICY_UNUSED_ONLY,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> QuoteRefundResponse:
        """Read what a refund would do now, without doing it.

        `purchase_id`: `pur_…`.
        `amount_minor`: what it would give back, in the currency's smallest unit; None is all that the policy allows.
        `policy`: UNUSED_ONLY gives back what the unspent credits are worth; WITH_DEBT all, and what was spent becomes
        debt. Amounts: money in the currency's smallest unit, credits in microcredits.
        Raises PurchaseNotFound, PurchaseNotRefundable and, with `amount_minor`, InvalidField and CreditsAlreadySpent.

            quote = await client.quote_refund(purchase_id=paid_purchase_id)
            print(quote.refundable_minor, quote.currency, quote.debt_microcredits)
        """
        request = message(QuoteRefundRequest, purchase_id=purchase_id, amount_minor=amount_minor, policy=policy)
        return await self._call(self._billing.QuoteRefund, request, timeout_s, headers)

    async def refund(
        self,
        *,
        purchase_id: str,
        amount_minor: int | None = None,
        policy: RefundPolicy.ValueType = REFUND_POLICY_UNUSED_ONLY,
        reason: str = "",
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> RefundResponse:
        """Give money back. Credits are set aside first; Stripe is asked; then they are settled, or given back.

        `purchase_id`: `pur_…`.
        `amount_minor`: in the currency's smallest unit; None is all that the policy allows.
        `policy`: as for `quote_refund`.
        `reason`: at most 500 characters.
        Raises PurchaseNotFound, PurchaseNotRefundable, InvalidField, CreditsAlreadySpent (with `refundable_minor`),
        StripeRefused, StripeUnavailable (call again with the same key, which resumes it).

            given = await client.refund(purchase_id=paid_purchase_id, amount_minor=100, idempotency_key="complaint-5")
            print(RefundStatus.Name(given.refund.status), given.balance.available_microcredits)
        """
        request = message(
            RefundRequest,
            purchase_id=purchase_id,
            amount_minor=amount_minor,
            policy=policy,
            reason=reason,
            idempotency_key=key_or_new(idempotency_key),
        )
        return await self._call(self._billing.Refund, request, timeout_s, headers)

    async def get_refund(
        self, *, refund_id: str, timeout_s: float | None = None, headers: Headers | None = None
    ) -> GetRefundResponse:
        """Read a refund as it is now. What was PENDING in the answer of `refund` may have succeeded or failed since.

        `refund_id`: the service's (`ref_…`) or Stripe's (`re_…`).
        Raises RefundNotFound.

            read = await client.get_refund(refund_id=refund_id)
            print(RefundStatus.Name(read.refund.status))
        """
        return await self._call(
            self._billing.GetRefund, message(GetRefundRequest, refund_id=refund_id), timeout_s, headers
        )

    async def list_refunds(
        self,
        *,
        account_id: str,
        purchase_id: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ListRefundsResponse:
        """Read one page of an account's refunds, newest first. See `iter_refunds`, which reads all pages.

        `purchase_id`: only of this purchase; empty: of all.
        Raises AccountNotFound, PurchaseNotFound.

            page = await client.list_refunds(account_id="user-1", page_size=10)
            print([refund.amount_minor for refund in page.refunds])
        """
        request = message(
            ListRefundsRequest,
            account_id=account_id,
            purchase_id=purchase_id,
            page_size=page_size,
            page_token=page_token,
        )
        return await self._call(self._billing.ListRefunds, request, timeout_s, headers)

    async def iter_refunds(
        self,
        *,
        account_id: str,
        purchase_id: str = "",
        page_size: int = 0,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> AsyncIterator[Refund]:
        """Read an account's refunds, newest first, page by page as they are consumed; `timeout_s` is for each page.

        `purchase_id`: only of this purchase; empty: of all.
        Raises AccountNotFound, PurchaseNotFound.

            async for refund in client.iter_refunds(account_id="user-1"):
                print(refund.refund_id, RefundStatus.Name(refund.status), refund.amount_minor)
        """
        page_token = ""
        while True:
            page = await self.list_refunds(
                account_id=account_id,
                purchase_id=purchase_id,
                page_size=page_size,
                page_token=page_token,
                timeout_s=timeout_s,
                headers=headers,
            )
            for item in page.refunds:
                yield item
            page_token = page.next_page_token
            if not page_token:
                return
