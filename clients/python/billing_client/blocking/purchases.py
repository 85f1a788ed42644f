"""Packages, purchases and refunds."""

from collections.abc import Iterator, Mapping

from prepaid.billing.v1.purchases_pb2 import (
    PAYMENT_FLOW_CHECKOUT,
    CancelPurchaseRequest,
    CancelPurchaseResponse,
    CreatePurchaseRequest,
    CreatePurchaseResponse,
    GetPurchaseRequest,
    GetPurchaseResponse,
    ListPackagesRequest,
    ListPackagesResponse,
    ListPurchasesRequest,
    ListPurchasesResponse,
    PaymentFlow,
    Purchase,
)
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

from billing_client.blocking.connection import Connection
from billing_client.headers import Headers
from billing_client.idempotency import key_or_new


class PurchaseMethods(Connection):
    def list_packages(self, *, timeout_s: float | None = None, headers: Headers | None = None) -> ListPackagesResponse:
        """Read what is for sale."""
        return self._call(self._billing.ListPackages, ListPackagesRequest(), timeout_s, headers)

    def create_purchase(
        self,
        *,
        account_id: str,
        package_code: str | None = None,
        custom_amount_minor: int | None = None,
        currency: str = "",
        payment_flow: PaymentFlow.ValueType = PAYMENT_FLOW_CHECKOUT,
        success_url: str = "",
        cancel_url: str = "",
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> CreatePurchaseResponse:
        """Begin a purchase of a package or of a custom amount, one of the two; the customer pays at `purchase.checkout_url`."""
        if (package_code is None) == (custom_amount_minor is None):
            raise ValueError("give package_code or custom_amount_minor")
        request = CreatePurchaseRequest(
            account_id=account_id,
            currency=currency,
            payment_flow=payment_flow,
            success_url=success_url,
            cancel_url=cancel_url,
            metadata=metadata,
            idempotency_key=key_or_new(idempotency_key),
        )
        if package_code is not None:
            request.package_code = package_code
        if custom_amount_minor is not None:
            request.custom_amount_minor = custom_amount_minor
        return self._call(self._billing.CreatePurchase, request, timeout_s, headers)

    def get_purchase(
        self,
        *,
        purchase_id: str | None = None,
        checkout_session_id: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> GetPurchaseResponse:
        """Read a purchase by its id or, for the success page, by its checkout session: one of the two."""
        if (purchase_id is None) == (checkout_session_id is None):
            raise ValueError("give purchase_id or checkout_session_id")
        request = GetPurchaseRequest()
        if purchase_id is not None:
            request.purchase_id = purchase_id
        if checkout_session_id is not None:
            request.checkout_session_id = checkout_session_id
        return self._call(self._billing.GetPurchase, request, timeout_s, headers)

    def list_purchases(
        self,
        *,
        account_id: str,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ListPurchasesResponse:
        """Read one page of an account's purchases, newest first. See `iter_purchases`."""
        request = ListPurchasesRequest(account_id=account_id, page_size=page_size, page_token=page_token)
        return self._call(self._billing.ListPurchases, request, timeout_s, headers)

    def iter_purchases(
        self, *, account_id: str, page_size: int = 0, timeout_s: float | None = None, headers: Headers | None = None
    ) -> Iterator[Purchase]:
        """Read an account's purchases, newest first, page by page as they are consumed; `timeout_s` is for each page."""
        page_token = ""
        while True:
            page = self.list_purchases(
                account_id=account_id, page_size=page_size, page_token=page_token, timeout_s=timeout_s, headers=headers
            )
            yield from page.purchases
            page_token = page.next_page_token
            if not page_token:
                return

    def cancel_purchase(
        self,
        *,
        purchase_id: str,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> CancelPurchaseResponse:
        """Call off an unpaid purchase. PurchaseNotCancelable otherwise."""
        request = CancelPurchaseRequest(purchase_id=purchase_id, idempotency_key=key_or_new(idempotency_key))
        return self._call(self._billing.CancelPurchase, request, timeout_s, headers)

    def quote_refund(
        self,
        *,
        purchase_id: str,
        policy: RefundPolicy.ValueType = REFUND_POLICY_UNUSED_ONLY,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> QuoteRefundResponse:
        """Read what a refund would do now."""
        return self._call(self._billing.QuoteRefund, QuoteRefundRequest(purchase_id=purchase_id, policy=policy), timeout_s, headers)

    def refund(
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
        """Give money back: all that the policy allows, or `amount_minor` of it."""
        request = RefundRequest(
            purchase_id=purchase_id,
            amount_minor=amount_minor,
            policy=policy,
            reason=reason,
            idempotency_key=key_or_new(idempotency_key),
        )
        return self._call(self._billing.Refund, request, timeout_s, headers)

    def get_refund(self, *, refund_id: str, timeout_s: float | None = None, headers: Headers | None = None) -> GetRefundResponse:
        """Read a refund as it stands now, by its own id (`ref_…`) or by Stripe's (`re_…`)."""
        return self._call(self._billing.GetRefund, GetRefundRequest(refund_id=refund_id), timeout_s, headers)

    def list_refunds(
        self,
        *,
        account_id: str,
        purchase_id: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ListRefundsResponse:
        """Read one page of an account's refunds, newest first, of one purchase or of all. See `iter_refunds`."""
        request = ListRefundsRequest(account_id=account_id, purchase_id=purchase_id, page_size=page_size, page_token=page_token)
        return self._call(self._billing.ListRefunds, request, timeout_s, headers)

    def iter_refunds(
        self, *, account_id: str, purchase_id: str = "", page_size: int = 0, timeout_s: float | None = None, headers: Headers | None = None
    ) -> Iterator[Refund]:
        """Read an account's refunds, newest first, page by page as they are consumed; `timeout_s` is for each page."""
        page_token = ""
        while True:
            page = self.list_refunds(
                account_id=account_id,
                purchase_id=purchase_id,
                page_size=page_size,
                page_token=page_token,
                timeout_s=timeout_s,
                headers=headers,
            )
            yield from page.refunds
            page_token = page.next_page_token
            if not page_token:
                return
