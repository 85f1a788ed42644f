"""Which forward proxy a channel goes through. gRPC reads the environment itself, and does so for loopback too."""

import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from billing_client.addresses import host_and_port

PROXY_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
"""In gRPC's order; gRPC does not read names in capitals."""
EXEMPTION_VARIABLES = ("no_grpc_proxy", "no_proxy", "NO_PROXY")


def proxy_for(address: str, environ: Mapping[str, str] | None = None) -> str | None:
    """The proxy between here and `address` as `http://host:port`, without its user and password. None: a direct way."""
    env = os.environ if environ is None else environ
    given = next((env[name] for name in PROXY_VARIABLES if env.get(name)), "")
    exempt = next((env[name] for name in EXEMPTION_VARIABLES if env.get(name)), "")
    try:
        proxy = urlsplit(given)
    except ValueError:
        return None
    if proxy.scheme != "http" or not proxy.hostname or is_exempt(*host_and_port(address), exempt):
        return None  # gRPC knows no other kind of proxy: it says so on standard error and connects directly
    return f"http://{proxy.netloc.rpartition('@')[2]}"


def is_exempt(host: str, port: str, exemptions: str) -> bool:
    """Whether the list of NO_PROXY has the host.

    It has names and what ends in them (`.example`), networks (`10.0.0.0/8`) and `*`. A port may follow a name.
    """
    for entry in (each.strip().lower() for each in exemptions.split(",")):
        name = (entry.removesuffix(f":{port}") if port else entry).strip("[]").lstrip(".")
        if entry == "*" or (name and (host == name or host.endswith(f".{name}") or _is_within(host, name))):
            return True
    return False


def _is_within(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
