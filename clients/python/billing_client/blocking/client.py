"""The blocking client: every RPC as a method."""

from pathlib import Path
from typing import Self

from billing_client.blocking.access_administration import ApiKeyMethods, StripeEventMethods
from billing_client.blocking.accounts import AccountMethods
from billing_client.blocking.credit_administration import CreditAdministrationMethods
from billing_client.blocking.deduction_stream import DeductionStreamMethods
from billing_client.blocking.purchases import PurchaseMethods
from billing_client.headers import Headers
from billing_client.options import ADDRESS_DEFAULT, ClientOptions


class BillingClient(
    AccountMethods, DeductionStreamMethods, PurchaseMethods, CreditAdministrationMethods, ApiKeyMethods, StripeEventMethods
):
    """Every RPC of the service as a method that takes keyword arguments and returns the RPC's response message.

    Every write takes `idempotency_key`; without one it makes one before its first attempt, and an error carries it. Every
    method takes `timeout_s`, in seconds, for all attempts together, and `headers` that travel with the call. UNAVAILABLE and
    every answer that is not the service's own are retried, up to four attempts, with the same key. Errors are the tree in
    `billing_client.errors`.
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
        """A client for options that were read elsewhere."""
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
        """A client for BILLING_ADDRESS, BILLING_API_KEY, BILLING_CA_FILE and the like; see `ClientOptions.from_env`."""
        return cls.from_options(ClientOptions.from_env())
