"""What operators do about API keys and Stripe's events,
and what the webhook gateway calls."""

from collections.abc import Iterator, Sequence
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

from billing_client.blocking.connection import Connection
from billing_client.headers import Headers
from billing_client.idempotency import key_or_new
from billing_client.messages import message
from billing_client.timestamps import timestamp_of


class ApiKeyMethods(Connection):
    def create_api_key(
        self,
        *,
        caller: str,
        scopes: Sequence[Scope.ValueType],
        expire_time: datetime | None = None,
        account_ids: Sequence[str] = (),
        spender_ids: Sequence[str] = (),
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> CreateApiKeyResponse:
        """Make an API key. Its secret is in this answer and in no other, a repeat by the same key included.

        `caller`: the calling service, 1 to 64 of a-z, 0-9, '-', '_', '.'; at most two live keys, for rotation.
        `scopes`: at least one.
        `expire_time`: when it ends by itself, with its zone; None: never.
        `account_ids`: the accounts that it is bound to, at most 100; none: it may act on all. Calls about others raise
        AccountNotAllowed.
        `spender_ids`: whom its charges count for besides the account, at most 4. Such a key sets no limits.
        Raises InvalidField for a third live key, ValueError for a time without a zone.

            made = client.create_api_key(caller="metering", scopes=[Scope.SCOPE_DEDUCT, Scope.SCOPE_READ])
            print(made.api_key.key_id, len(made.secret))
        """
        request = message(
            CreateApiKeyRequest,
            caller=caller,
            scopes=scopes,
            expire_time=timestamp_of(expire_time),
            account_ids=account_ids,
            spender_ids=spender_ids,
            idempotency_key=key_or_new(idempotency_key),
        )
        return self._call(self._admin.CreateApiKey, request, timeout_s, headers)

    def list_api_keys(self, *, timeout_s: float | None = None, headers: Headers | None = None) -> ListApiKeysResponse:
        """Read all API keys, newest first, without their secrets.

        Revoked and expired ones are among them.

            listed = client.list_api_keys()
            for key in listed.api_keys:
                print(key.caller, key.key_id, key.last_use_time.ToDatetime())
        """
        return self._call(self._admin.ListApiKeys, ListApiKeysRequest(), timeout_s, headers)

    def revoke_api_key(
        self,
        *,
        key_id: str,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> RevokeApiKeyResponse:
        """End an API key. It is refused within 10 seconds everywhere. Revoking twice is fine.

        `key_id`: the public part.
        Raises ApiKeyNotFound.

            revoked = client.revoke_api_key(key_id=key_id)
            print(revoked.api_key.revoke_time.ToDatetime())
        """
        request = message(RevokeApiKeyRequest, key_id=key_id, idempotency_key=key_or_new(idempotency_key))
        return self._call(self._admin.RevokeApiKey, request, timeout_s, headers)


class StripeEventMethods(Connection):
    def process_stripe_event(
        self,
        *,
        payload: bytes,
        stripe_signature: str,
        received_time: datetime | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ProcessStripeEventResponse:
        """Hand over one event as Stripe signed it. Its effect is on disk when this returns.

        The event's id is its idempotency key.
        `payload`: the raw bytes of the body, at most 256 KiB.
        `stripe_signature`: the Stripe-Signature header, at most 300 s old.
        `received_time`: when the gateway got it, with its zone; for logs.
        Raises SignatureRejected.

            processed = client.process_stripe_event(payload=payload, stripe_signature=stripe_signature)
            print(processed.event_type, processed.outcome)
        """
        request = message(
            ProcessStripeEventRequest,
            payload=payload,
            stripe_signature=stripe_signature,
            received_time=timestamp_of(received_time),
        )
        return self._call(self._stripe_events.ProcessStripeEvent, request, timeout_s, headers)

    def get_checkout_status(
        self, *, checkout_session_id: str, timeout_s: float | None = None, headers: Headers | None = None
    ) -> GetCheckoutStatusResponse:
        """Read the state of a checkout, for the page that its customer returns to.

        `checkout_session_id`: Stripe's (`cs_…`).
        Raises PurchaseNotFound.

            checkout = client.get_checkout_status(checkout_session_id=checkout_session_id)
            print(PurchaseStatus.Name(checkout.status), checkout.paid_minor, checkout.currency)
        """
        request = message(GetCheckoutStatusRequest, checkout_session_id=checkout_session_id)
        return self._call(self._stripe_events.GetCheckoutStatus, request, timeout_s, headers)

    def list_stripe_events(
        self,
        *,
        status: StripeEventStatus.ValueType = STRIPE_EVENT_STATUS_UNSPECIFIED,
        include_payload: bool = False,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ListStripeEventsResponse:
        """Read one page of the inbox of Stripe's events, newest first. See `iter_stripe_events`, which reads all
        pages.

        `status`: only this one; unspecified: all.
        `include_payload`: whether the raw bodies come along.

            page = client.list_stripe_events(page_size=10)
            print([event.event_type for event in page.events])
        """
        request = message(
            ListStripeEventsRequest,
            status=status,
            include_payload=include_payload,
            page_size=page_size,
            page_token=page_token,
        )
        return self._call(self._admin.ListStripeEvents, request, timeout_s, headers)

    def iter_stripe_events(
        self,
        *,
        status: StripeEventStatus.ValueType = STRIPE_EVENT_STATUS_UNSPECIFIED,
        include_payload: bool = False,
        page_size: int = 0,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> Iterator[StripeEvent]:
        """Read the inbox of Stripe's events, newest first, page by page as consumed; `timeout_s` is for each page.

        `status`: only this one; unspecified: all.
        `include_payload`: whether the raw bodies come along.

            for event in client.iter_stripe_events(status=StripeEventStatus.STRIPE_EVENT_STATUS_QUARANTINED):
                print(event.event_id, event.error)
        """
        page_token = ""
        while True:
            page = self.list_stripe_events(
                status=status,
                include_payload=include_payload,
                page_size=page_size,
                page_token=page_token,
                timeout_s=timeout_s,
                headers=headers,
            )
            yield from page.events
            page_token = page.next_page_token
            if not page_token:
                return

    def replay_stripe_event(
        self,
        *,
        event_id: str,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ReplayStripeEventResponse:
        """Process a kept event again. An event that had its effect has no second one.

        `event_id`: `evt_…`.
        Raises StripeEventNotFound.

            replayed = client.replay_stripe_event(event_id=event_id)
            print(replayed.event.event_type, replayed.outcome)
        """
        request = message(ReplayStripeEventRequest, event_id=event_id, idempotency_key=key_or_new(idempotency_key))
        return self._call(self._admin.ReplayStripeEvent, request, timeout_s, headers)
