"""Derived by derive_async.py; change its blocking twin instead. Events that the deployment's backend has not taken."""

from collections.abc import AsyncIterator

from prepaid.billing.v1.events_pb2 import (
    WEBHOOK_DELIVERY_STATE_UNSPECIFIED,
    ListWebhookDeliveriesRequest,
    ListWebhookDeliveriesResponse,
    ReplayWebhookDeliveriesRequest,
    ReplayWebhookDeliveriesResponse,
    WebhookDelivery,
    WebhookDeliveryState,
)

from billing_client.asynchronous.connection import Connection
from billing_client.headers import Headers
from billing_client.idempotency import key_or_new
from billing_client.messages import message


class WebhookDeliveryMethods(Connection):
    async def list_webhook_deliveries(
        self,
        *,
        state: WebhookDeliveryState.ValueType = WEBHOOK_DELIVERY_STATE_UNSPECIFIED,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ListWebhookDeliveriesResponse:
        """Read one page of events that the backend has not taken. See `iter_webhook_deliveries`, which reads all.

        `state`: only this state.

            page = await client.list_webhook_deliveries(page_size=10)
            print([each.event.event_id for each in page.deliveries], page.next_page_token)
        """
        request = message(ListWebhookDeliveriesRequest, state=state, page_size=page_size, page_token=page_token)
        return await self._call(self._admin.ListWebhookDeliveries, request, timeout_s, headers)

    async def iter_webhook_deliveries(
        self,
        *,
        state: WebhookDeliveryState.ValueType = WEBHOOK_DELIVERY_STATE_UNSPECIFIED,
        page_size: int = 0,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> AsyncIterator[WebhookDelivery]:
        """Read all events that the backend has not taken, page by page as they are consumed; `timeout_s` is for each.

        `state`: only this state.

            print("not taken:")
            async for each in client.iter_webhook_deliveries():
                print(each.event.event_id, each.attempt_count, each.error)
        """
        page_token = ""
        while True:
            page = await self.list_webhook_deliveries(
                state=state, page_size=page_size, page_token=page_token, timeout_s=timeout_s, headers=headers
            )
            for item in page.deliveries:
                yield item
            page_token = page.next_page_token
            if not page_token:
                return

    async def replay_webhook_deliveries(
        self,
        *,
        account_id: str = "",
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ReplayWebhookDeliveriesResponse:
        """Have dead letters tried once more. They come after later events of their accounts.

        One that fails again is a dead letter again.

            answer = await client.replay_webhook_deliveries()
            print(answer.delivery_count)
        """
        request = message(
            ReplayWebhookDeliveriesRequest, account_id=account_id, idempotency_key=key_or_new(idempotency_key)
        )
        return await self._call(self._admin.ReplayWebhookDeliveries, request, timeout_s, headers)
