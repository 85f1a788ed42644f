"""Where the service is, who calls, and how the channel behaves."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from billing_client.addresses import addresses_of, confirm_address, is_local, name_and_port
from billing_client.headers import Headers, Pairs, pairs_of
from billing_client.proxies import proxy_for
from billing_client.version import __version__

ADDRESS_DEFAULT = "127.0.0.1:50051"
KEEPALIVE_INTERVAL_MS = 60_000
"""The least that the service allows; more often and it closes the connection."""
KEEPALIVE_TIMEOUT_MS = 20_000
RECONNECT_BACKOFF_MS = 100
RECONNECT_BACKOFF_MAX_MS = 2_000
ROUTED_RECONNECT_BACKOFF_MAX_MS = 500
"""Towards one of several addresses: it may be the only one that is left, and a call's four attempts end after 0.7 to
1.3 seconds. `routing.DOWN_S` spares an address that stays away."""
CONNECT_TIMEOUT_MS = 5_000
"""For one attempt to connect, handshakes included: gRPC's `min_reconnect_backoff` is that too. A shorter one does not
get through a slow network or proxy."""
RECEIVED_BYTES_MAX = 64 * 1024 * 1024
"""A page of 1,000 Stripe events with their payloads may pass gRPC's own 4 MiB."""
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """Validated when made: ValueError names the option and repeats no secret.

    TLS is used unless the address is a loopback address or a Unix socket; `plaintext=True` says that something else,
    such as a service mesh, encrypts. With `ca_file` it is always used. Without TLS no forward proxy is used: it would
    read the API key.
    """

    address: str = ADDRESS_DEFAULT
    api_key: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    """PEM file of the authorities to trust; None: gRPC's own list of public ones."""
    certificate_file: Path | None = None
    """PEM file of the client's certificate chain, for mutual TLS; goes with `private_key_file`."""
    private_key_file: Path | None = None
    plaintext: bool = False
    headers: Headers = field(default_factory=dict, repr=False, hash=False)
    """Sent with every call, such as `x-request-id`; see `Headers`."""

    def __post_init__(self) -> None:
        try:
            confirm_address(self.address)
        except ValueError as error:
            raise ValueError(f"address {error}") from None
        if self.api_key is not None and not (
            self.api_key and self.api_key.isascii() and self.api_key.isprintable() and " " not in self.api_key
        ):
            raise ValueError("api_key must be printable ASCII without spaces")
        if (self.certificate_file is None) != (self.private_key_file is None):
            raise ValueError("certificate_file and private_key_file go together")
        if self.plaintext and (self.ca_file or self.certificate_file):
            raise ValueError("plaintext contradicts ca_file and certificate_file")
        pairs_of(self.headers)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "ClientOptions":
        """Read BILLING_ADDRESS, BILLING_API_KEY, BILLING_CA_FILE, BILLING_CERTIFICATE_FILE, BILLING_PRIVATE_KEY_FILE,
        BILLING_PLAINTEXT.

        An empty variable counts as absent.
        """
        env = os.environ if environ is None else environ

        def path(name: str) -> Path | None:
            return Path(env[name]) if env.get(name) else None

        plaintext = env.get("BILLING_PLAINTEXT", "").lower()
        if plaintext not in _TRUE + _FALSE:
            raise ValueError("BILLING_PLAINTEXT must be true or false")
        return cls(
            address=env.get("BILLING_ADDRESS") or ADDRESS_DEFAULT,
            api_key=env.get("BILLING_API_KEY") or None,
            ca_file=path("BILLING_CA_FILE"),
            certificate_file=path("BILLING_CERTIFICATE_FILE"),
            private_key_file=path("BILLING_PRIVATE_KEY_FILE"),
            plaintext=plaintext in _TRUE,
        )

    @property
    def uses_tls(self) -> bool:
        return bool(self.ca_file or self.certificate_file) or not (self.plaintext or is_local(self.address))

    def credentials(self) -> grpc.ChannelCredentials:
        """Reads the files; OSError when one can't be read."""
        return grpc.ssl_channel_credentials(
            root_certificates=self.ca_file.read_bytes() if self.ca_file else None,
            private_key=self.private_key_file.read_bytes() if self.private_key_file else None,
            certificate_chain=self.certificate_file.read_bytes() if self.certificate_file else None,
        )

    @property
    def proxy(self) -> str | None:
        """The forward proxy of a channel that is made now, as `http://host:port`. None: a direct connection."""
        return self.proxy_to(self.address)

    def proxy_to(self, address: str) -> str | None:
        """The same for one of several addresses."""
        return proxy_for(address) if self.uses_tls and not is_local(address) else None

    @property
    def is_routed(self) -> bool:
        """Whether there may be several addresses: a list, or a `dns:` name that no proxy resolves."""
        return len(addresses_of(self.address)) > 1 or (name_and_port(self.address) is not None and self.proxy is None)

    def metadata(self) -> Pairs:
        """What every call carries: the API key, and `headers`."""
        key = (("authorization", f"Bearer {self.api_key}"),) if self.api_key else ()
        return (*key, *pairs_of(self.headers))

    def channel_options(self, address: str = "", authority: str = "") -> list[tuple[str, Any]]:
        """How a channel that is made now behaves. It repeats nothing that may have arrived; `retries` does.
        `authority`: the name that the certificate of a looked-up address must be for."""
        return [
            *([("grpc.default_authority", authority)] if authority else ()),
            ("grpc.primary_user_agent", f"prepaid-billing-client/{__version__}"),
            ("grpc.enable_http_proxy", int(self.proxy_to(address or self.address) is not None)),
            ("grpc.keepalive_time_ms", KEEPALIVE_INTERVAL_MS),
            ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
            ("grpc.initial_reconnect_backoff_ms", RECONNECT_BACKOFF_MS),
            ("grpc.min_reconnect_backoff_ms", CONNECT_TIMEOUT_MS),
            (
                "grpc.max_reconnect_backoff_ms",
                ROUTED_RECONNECT_BACKOFF_MAX_MS if address else RECONNECT_BACKOFF_MAX_MS,
            ),
            ("grpc.max_receive_message_length", RECEIVED_BYTES_MAX),
        ]
