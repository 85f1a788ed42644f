"""A database on PostgreSQL, how it is reached, and how well the way there is protected."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
"""From the weakest to the strongest."""
SYSTEM_ROOTS: Final = "system"
"""`sslrootcert=system`: the authorities that this machine trusts."""


@dataclass(frozen=True, slots=True)
class Address:
    """One place where a server may be."""

    host: str
    """A name, an IP address, or the directory of a socket, which begins with a slash."""
    port: int

    @property
    def is_socket(self) -> bool:
        return self.host.startswith("/")

    @property
    def is_local(self) -> bool:
        """Whether nobody else can be in between: a socket or loopback."""
        if self.is_socket or self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.is_socket:
            return f"{self.host}/.s.PGSQL.{self.port}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A database on PostgreSQL, and how to reach it."""

    addresses: tuple[Address, ...]
    """Tried in this order."""
    database: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    passfile: str | None = None
    sslmode: str | None = None
    """As given; `sslmode_at` says what is in force."""
    tls: Mapping[str, str] = field(default_factory=dict, repr=False)
    """libpq's words on certificates and protocols."""
    channel_binding_required: bool = False
    application_name: str | None = None
    options: str | None = field(default=None, repr=False)
    """Sent to the server as they are."""
    connect_timeout_s: int | None = None
    """For each address."""
    keepalives: bool = True
    keepalives_idle_s: int | None = None
    keepalives_interval_s: int | None = None
    keepalives_count: int | None = None
    tcp_user_timeout_ms: int | None = None
    target_session_attrs: str = "any"

    def sslmode_at(self, address: Address) -> str:
        """The mode in force there. Channel binding, which proves that nobody is in between, is more than the driver
        can: where it is required, the certificate proves it."""
        if address.is_socket:
            return "disable"
        if self.channel_binding_required:
            return "verify-full"
        if self.sslmode is not None:
            return self.sslmode
        return "prefer" if address.is_local and self.tls.get("sslrootcert") != SYSTEM_ROOTS else "verify-full"

    @property
    def weakness(self) -> str | None:
        """What is not protected on the way to the first address that is beyond this machine; None when the server
        proves who it is."""
        for address in self.addresses:
            mode = self.sslmode_at(address)
            if not address.is_local and mode in {"disable", "allow", "prefer"}:
                seen = f"lets others read and change what goes to {address}"
                return f"sslmode={mode} {seen}; sslmode=verify-full prevents it"
            if not address.is_local and mode == "require":
                unknown = "whose certificate it is" if "sslrootcert" in self.tls else "who answers"
                return (
                    f"sslmode=require encrypts, and does not find out {unknown} at {address}; sslmode=verify-full does"
                )
        return None
