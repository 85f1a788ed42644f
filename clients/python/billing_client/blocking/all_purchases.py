"""The purchases of all accounts, for operators."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from prepaid.billing.v1.purchases_pb2 import (
    ListAllPurchasesRequest,
    ListAllPurchasesResponse,
    Purchase,
    PurchaseStatus,
)

from billing_client.blocking.connection import Connection
from billing_client.headers import Headers
from billing_client.messages import message
from billing_client.timestamps import timestamp_of


class AllPurchasesMethods(Connection):
    def list_all_purchases(
        self,
        *,
        statuses: Sequence[PurchaseStatus.ValueType] = (),
        package_code: str = "",
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ListAllPurchasesResponse:
        """Read one page of the purchases of all accounts, newest first. See `iter_all_purchases`, which reads all.

        `statuses`: only of these states; empty: of all. `package_code`: only of this package.
        `start_time`: made at or after it. `end_time`: made before it. Both carry their zone.
        A page may be empty while a token says that more follow. Raises ValueError for a time without a zone.

            page = client.list_all_purchases(page_size=10)
            print([each.account_id for each in page.purchases], page.next_page_token)
        """
        request = message(
            ListAllPurchasesRequest,
            statuses=statuses,
            package_code=package_code,
            start_time=timestamp_of(start_time),
            end_time=timestamp_of(end_time),
            page_size=page_size,
            page_token=page_token,
        )
        return self._call(self._admin.ListAllPurchases, request, timeout_s, headers)

    def iter_all_purchases(
        self,
        *,
        statuses: Sequence[PurchaseStatus.ValueType] = (),
        package_code: str = "",
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        page_size: int = 0,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> Iterator[Purchase]:
        """Read the purchases of all accounts, newest first, page by page as they are consumed; `timeout_s` is for each.

        `statuses`, `package_code`, `start_time`, `end_time`: as `list_all_purchases` takes them.

            for purchase in client.iter_all_purchases(package_code="starter"):
                print(purchase.account_id, purchase.purchase_id)
        """
        page_token = ""
        while True:
            page = self.list_all_purchases(
                statuses=statuses,
                package_code=package_code,
                start_time=start_time,
                end_time=end_time,
                page_size=page_size,
                page_token=page_token,
                timeout_s=timeout_s,
                headers=headers,
            )
            yield from page.purchases
            page_token = page.next_page_token
            if not page_token:
                return
