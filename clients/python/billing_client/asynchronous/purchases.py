"""Derived by derive_async.py; change its blocking twin instead. Packages and purchases."""

from collections.abc import AsyncIterator, Mapping

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

from billing_client.asynchronous.connection import Connection
from billing_client.headers import Headers
from billing_client.idempotency import key_or_new
from billing_client.messages import message


class PurchaseMethods(Connection):
    async def list_packages(
        self, *, timeout_s: float | None = None, headers: Headers | None = None
    ) -> ListPackagesResponse:
        """Read what is for sale.

        Credits are microcredits, prices the currency's smallest unit.

            offer = await client.list_packages()
            for package in offer.packages:
                print(package.code, package.credits_microcredits, package.price_minor, package.currency)
        """
        return await self._call(self._billing.ListPackages, ListPackagesRequest(), timeout_s, headers)

    async def create_purchase(
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
        """Begin a purchase: the customer pays at `purchase.checkout_url`, and the credits arrive with the money.

        A missing account is made. Give one of `package_code` and `custom_amount_minor`.
        `package_code`: of `list_packages`.
        `custom_amount_minor`: in the currency's smallest unit, 100 to 1,000,000 US cents unless the service says
        otherwise.
        `currency`: empty is the catalogue's; another is refused.
        `payment_flow`: CHECKOUT, Stripe's own page; or PAYMENT_INTENT, a page of yours, which confirms the payment with
        `client_secret` of the answered purchase. That takes neither `success_url` nor `cancel_url`.
        `success_url`: where the customer returns to, at most 2,000 characters; empty: the service's.
        `cancel_url`: the same for one who turns back.
        `metadata`: as for `create_account`.
        Raises UnknownPackage, StripeRefused, StripeUnavailable (call again with the same key), ValueError unless one
        of the two.

            made = await client.create_purchase(account_id="user-1", package_code="starter", idempotency_key="order-99")
            print(made.purchase.purchase_id, made.purchase.checkout_url)
        """
        if (package_code is None) == (custom_amount_minor is None):
            raise ValueError("give package_code or custom_amount_minor")
        request = message(
            CreatePurchaseRequest,
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
        return await self._call(self._billing.CreatePurchase, request, timeout_s, headers)

    async def get_purchase(
        self,
        *,
        purchase_id: str | None = None,
        checkout_session_id: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> GetPurchaseResponse:
        """Read a purchase as it is now, with the disputes of its payment.

        Give one of the two.
        `purchase_id`: `pur_…`.
        `checkout_session_id`: `cs_…`, which the success page has.
        Raises PurchaseNotFound, ValueError unless one of the two.

            read = await client.get_purchase(purchase_id=open_purchase_id)
            print(PurchaseStatus.Name(read.purchase.status), read.purchase.paid_minor)
        """
        if (purchase_id is None) == (checkout_session_id is None):
            raise ValueError("give purchase_id or checkout_session_id")
        request = GetPurchaseRequest()
        if purchase_id is not None:
            request.purchase_id = purchase_id
        if checkout_session_id is not None:
            request.checkout_session_id = checkout_session_id
        return await self._call(self._billing.GetPurchase, request, timeout_s, headers)

    async def list_purchases(
        self,
        *,
        account_id: str,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ListPurchasesResponse:
        """Read one page of an account's purchases, newest first. See `iter_purchases`, which reads all pages.

        Raises AccountNotFound.

            page = await client.list_purchases(account_id="user-1", page_size=10)
            print([purchase.amount_minor for purchase in page.purchases])
        """
        request = message(ListPurchasesRequest, account_id=account_id, page_size=page_size, page_token=page_token)
        return await self._call(self._billing.ListPurchases, request, timeout_s, headers)

    async def iter_purchases(
        self, *, account_id: str, page_size: int = 0, timeout_s: float | None = None, headers: Headers | None = None
    ) -> AsyncIterator[Purchase]:
        """Read an account's purchases, newest first, page by page as they are consumed; `timeout_s` is for each
        page.

        Raises AccountNotFound.

            async for purchase in client.iter_purchases(account_id="user-1"):
                print(purchase.purchase_id, PurchaseStatus.Name(purchase.status))
        """
        page_token = ""
        while True:
            page = await self.list_purchases(
                account_id=account_id, page_size=page_size, page_token=page_token, timeout_s=timeout_s, headers=headers
            )
            for item in page.purchases:
                yield item
            page_token = page.next_page_token
            if not page_token:
                return

    async def cancel_purchase(
        self,
        *,
        purchase_id: str,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> CancelPurchaseResponse:
        """Call off a purchase that nobody paid: its checkout page closes. A payment under way still completes it.

        `purchase_id`: `pur_…`.
        Raises PurchaseNotFound, PurchaseNotCancelable, StripeUnavailable (call again with the same key).

            canceled = await client.cancel_purchase(purchase_id=open_purchase_id)
            print(PurchaseStatus.Name(canceled.purchase.status))
        """
        request = message(CancelPurchaseRequest, purchase_id=purchase_id, idempotency_key=key_or_new(idempotency_key))
        return await self._call(self._billing.CancelPurchase, request, timeout_s, headers)
