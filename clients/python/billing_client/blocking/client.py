"""The blocking client: every RPC as a method."""

from pathlib import Path
from typing import Self

from billing_client.blocking.access_administration import ApiKeyMethods, StripeEventMethods
from billing_client.blocking.accounts import AccountMethods
from billing_client.blocking.all_purchases import AllPurchasesMethods
from billing_client.blocking.credit_administration import CreditAdministrationMethods
from billing_client.blocking.event_feed import EventFeedMethods
from billing_client.blocking.holds import HoldMethods
from billing_client.blocking.purchases import PurchaseMethods
from billing_client.blocking.rate_cards import RateCardMethods
from billing_client.blocking.reconciling import ReconcileMethods
from billing_client.blocking.refunds import RefundMethods
from billing_client.blocking.spend_limits import SpendLimitMethods
from billing_client.blocking.spending import SpendingMethods
from billing_client.blocking.streams import DeductionStreamMethods
from billing_client.blocking.webhook_deliveries import WebhookDeliveryMethods
from billing_client.headers import Headers
from billing_client.options import ADDRESS_DEFAULT, ClientOptions


class BillingClient(
    AccountMethods,
    SpendingMethods,
    SpendLimitMethods,
    HoldMethods,
    DeductionStreamMethods,
    EventFeedMethods,
    WebhookDeliveryMethods,
    PurchaseMethods,
    AllPurchasesMethods,
    RefundMethods,
    ReconcileMethods,
    CreditAdministrationMethods,
    ApiKeyMethods,
    StripeEventMethods,
    RateCardMethods,
):
    """Every RPC of the service as a method that takes keyword arguments and returns the RPC's response message.

    Parameters that many methods have:
    `account_id`: your own id of the account, 1 to 128 printable characters.
    `idempotency_key`: of every write, 1 to 255 printable characters. None: one is made before the first attempt, and
    an error carries it. Make and keep your own where your process may end before the answer comes.
    `timeout_s`: seconds for all attempts together. None: 5, or 30 where Stripe is asked.
    `headers`: travel with the call, over those of the client, such as `x-request-id` and `traceparent`. Text, or bytes
    where the name ends in `-bin`. ValueError for `authorization`, as which the API key is sent.
    `page_size`: 1 to 1,000; 0 is 50.
    `page_token`: `next_page_token` of the previous page; empty: the first.

    UNAVAILABLE, and every answer that is not the service's own, are repeated with the same key, up to four attempts in
    all. Every method may raise InvalidField, ApiKeyInvalid, ScopeMissing, Overloaded and ServiceUnreachable (nothing
    was sent). A write may raise OutcomeUnknown (call again with its key) and IdempotencyKeyReused.
    `billing_client.errors` has the whole tree.

        with BillingClient("127.0.0.1:50051", headers={"x-team": "search"}) as client:
            read = client.get_balance(account_id="user-1")
            print(read.balance.available_microcredits)
    """

    def __init__(
        self,
        address: str = ADDRESS_DEFAULT,
        *,
        api_key: str | None = None,
        ca_file: Path | None = None,
        certificate_file: Path | None = None,
        private_key_file: Path | None = None,
        plaintext: bool = False,
        headers: Headers | None = None,
    ) -> None:
        """Nothing is sent until the first call. The arguments are those of `ClientOptions`.

        `address`: `host:port`, or `unix:` and a path.
        `api_key`: `bill_…`.
        `ca_file`: PEM of the authorities to trust; None: the public ones.
        `certificate_file`: PEM of the client's certificate, for mutual TLS.
        `private_key_file`: PEM of its key.
        `plaintext`: no TLS beyond this machine, because a service mesh encrypts.
        `headers`: sent with every call.
        Raises ValueError naming the argument that does not fit, OSError when a file can't be read.
        """
        super().__init__(
            ClientOptions(
                address=address,
                api_key=api_key,
                ca_file=ca_file,
                certificate_file=certificate_file,
                private_key_file=private_key_file,
                plaintext=plaintext,
                headers=headers or {},
            )
        )

    @classmethod
    def from_options(cls, options: ClientOptions) -> Self:
        """A client for options that were read elsewhere.

        `options`: where the service is, and who calls.
        Raises OSError when one of their files can't be read.

            client = BillingClient.from_options(ClientOptions(address="127.0.0.1:50051"))
        """
        return cls(
            options.address,
            api_key=options.api_key,
            ca_file=options.ca_file,
            certificate_file=options.certificate_file,
            private_key_file=options.private_key_file,
            plaintext=options.plaintext,
            headers=options.headers,
        )

    @classmethod
    def from_env(cls) -> Self:
        """A client for BILLING_ADDRESS, BILLING_API_KEY, BILLING_CA_FILE and the like; see `ClientOptions.from_env`.

        Raises ValueError naming the variable that does not fit, OSError when a file can't be read.

            client = BillingClient.from_env()
        """
        return cls.from_options(ClientOptions.from_env())
