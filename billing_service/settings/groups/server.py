"""Where calls are served, and how many at a time."""

from billing_service.settings.groups.setting import SettingsGroup, setting
from billing_service.settings.values import ExistingFile, ListenAddress


class ServerSettings(SettingsGroup):
    listen: ListenAddress = setting("BILLING_LISTEN", "127.0.0.1:50051", "Address of the gRPC server, `host:port`")
    reflection: bool = setting("BILLING_REFLECTION", False, "Let clients discover the services (`buf curl`)")
    allow_plaintext: bool = setting(
        "BILLING_ALLOW_PLAINTEXT", False, "Serve without TLS on other addresses than loopback"
    )
    tls_certificate_file: ExistingFile | None = setting(
        "BILLING_TLS_CERTIFICATE_FILE", None, "PEM certificate chain; read again when it changes"
    )
    tls_private_key_file: ExistingFile | None = setting("BILLING_TLS_PRIVATE_KEY_FILE", None, "PEM private key of it")
    tls_client_ca_file: ExistingFile | None = setting(
        "BILLING_TLS_CLIENT_CA_FILE", None, "PEM authorities of client certificates, which are then required"
    )
    in_flight_max: int = setting(
        "BILLING_IN_FLIGHT_MAX", 1024, "Calls at a time; more are refused with OVERLOADED", ge=1, le=100_000
    )
    streams_per_connection_max: int = setting(
        "BILLING_STREAMS_PER_CONNECTION_MAX",
        1000,
        "Calls at a time of one connection; a client that opens more gets UNAVAILABLE",
        ge=1,
        le=10_000,
    )
    deadline_default_s: float = setting(
        "BILLING_DEADLINE_DEFAULT_S", 30.0, "Longest time of a call, also for one without a deadline", ge=1, le=300
    )
    drain_wait_s: float = setting(
        "BILLING_DRAIN_WAIT_S", 0.0, "Time between NOT_SERVING and the end of accepting calls", ge=0, le=60
    )
    grace_s: float = setting("BILLING_GRACE_S", 10.0, "Time for calls in flight to finish at shutdown", ge=0, le=300)
