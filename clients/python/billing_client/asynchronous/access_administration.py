"""Derived by derive_async.py; change its blocking twin instead. What operators do about API keys and Stripe's events, and what the webhook gateway calls."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from prepaid.billing.v1.admin_pb2 import (
    STRIPE_EVENT_STATUS_UNSPECIFIED,
    ListStripeEventsRequest,
    ListStripeEventsResponse,
    ReplayStripeEventRequest,
    ReplayStripeEventResponse,
    StripeEvent,
    StripeEventStatus,
)
from prepaid.billing.v1.api_keys_pb2 import (
    CreateApiKeyRequest,
    CreateApiKeyResponse,
    ListApiKeysRequest,
    ListApiKeysResponse,
    RevokeApiKeyRequest,
    RevokeApiKeyResponse,
)
from prepaid.billing.v1.scopes_pb2 import Scope
from prepaid.billing.v1.stripe_events_pb2 import (
    GetCheckoutStatusRequest,
    GetCheckoutStatusResponse,
    ProcessStripeEventRequest,
    ProcessStripeEventResponse,
)

from billing_client.asynchronous.connection import Connection
from billing_client.headers import Headers
from billing_client.idempotency import key_or_new
from billing_client.timestamps import timestamp_of


class ApiKeyMethods(Connection):
    async def create_api_key(
        self,
        *,
        caller: str,
        scopes: Sequence[Scope.ValueType],
        expire_time: datetime | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> CreateApiKeyResponse:
        """Make an API key. Its secret is in this answer and in no other, a replay included."""
        request = CreateApiKeyRequest(
            caller=caller,
            scopes=scopes,
            expire_time=timestamp_of(expire_time),
            idempotency_key=key_or_new(idempotency_key),
        )
        return await self._call(self._admin.CreateApiKey, request, timeout_s, headers)

    async def list_api_keys(self, *, timeout_s: float | None = None, headers: Headers | None = None) -> ListApiKeysResponse:
        """Read all API keys, without their secrets."""
        return await self._call(self._admin.ListApiKeys, ListApiKeysRequest(), timeout_s, headers)

    async def revoke_api_key(
        self,
        *,
        key_id: str,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> RevokeApiKeyResponse:
        """End an API key."""
        request = RevokeApiKeyRequest(key_id=key_id, idempotency_key=key_or_new(idempotency_key))
        return await self._call(self._admin.RevokeApiKey, request, timeout_s, headers)


class StripeEventMethods(Connection):
    async def process_stripe_event(
        self,
        *,
        payload: bytes,
        stripe_signature: str,
        received_time: datetime | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ProcessStripeEventResponse:
        """Hand over one event as Stripe signed it; its effect is on disk when this returns. The event's id is its idempotency key."""
        request = ProcessStripeEventRequest(
            payload=payload,
            stripe_signature=stripe_signature,
            received_time=timestamp_of(received_time),
        )
        return await self._call(self._stripe_events.ProcessStripeEvent, request, timeout_s, headers)

    async def get_checkout_status(
        self, *, checkout_session_id: str, timeout_s: float | None = None, headers: Headers | None = None
    ) -> GetCheckoutStatusResponse:
        """Read how a checkout stands, for the page that its customer returns to. PurchaseNotFound when no purchase has that session."""
        request = GetCheckoutStatusRequest(checkout_session_id=checkout_session_id)
        return await self._call(self._stripe_events.GetCheckoutStatus, request, timeout_s, headers)

    async def list_stripe_events(
        self,
        *,
        status: StripeEventStatus.ValueType = STRIPE_EVENT_STATUS_UNSPECIFIED,
        include_payload: bool = False,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ListStripeEventsResponse:
        """Read one page of the inbox, newest first. See `iter_stripe_events`."""
        request = ListStripeEventsRequest(status=status, include_payload=include_payload, page_size=page_size, page_token=page_token)
        return await self._call(self._admin.ListStripeEvents, request, timeout_s, headers)

    async def iter_stripe_events(
        self,
        *,
        status: StripeEventStatus.ValueType = STRIPE_EVENT_STATUS_UNSPECIFIED,
        include_payload: bool = False,
        page_size: int = 0,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> AsyncIterator[StripeEvent]:
        """Read the inbox, newest first, page by page as it is consumed; `timeout_s` is for each page."""
        page_token = ""
        while True:
            page = await self.list_stripe_events(
                status=status,
                include_payload=include_payload,
                page_size=page_size,
                page_token=page_token,
                timeout_s=timeout_s,
                headers=headers,
            )
            for item in page.events:
                yield item
            page_token = page.next_page_token
            if not page_token:
                return

    async def replay_stripe_event(
        self,
        *,
        event_id: str,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ReplayStripeEventResponse:
        """Process a kept event again. An event that had its effect has no second one."""
        request = ReplayStripeEventRequest(event_id=event_id, idempotency_key=key_or_new(idempotency_key))
        return await self._call(self._admin.ReplayStripeEvent, request, timeout_s, headers)
