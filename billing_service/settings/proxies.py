"""The forward proxy on the way to Stripe, from the variables that other programs read. Loopback has none."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from billing_client.addresses import is_loopback
from billing_client.proxies import is_exempt
from pydantic import SecretStr

PROXY_NAMES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
"""In the order of precedence, which is curl's."""
EXEMPTION_NAMES: Final = ("no_proxy", "NO_PROXY")


def under_one_name(given: Mapping[str, str]) -> dict[str, str]:
    """HTTPS_PROXY and NO_PROXY, whichever names they were given under."""
    names = (("HTTPS_PROXY", PROXY_NAMES), ("NO_PROXY", EXEMPTION_NAMES))
    found = {name: next((given[each] for each in others if given.get(each)), "") for name, others in names}
    return {name: value for name, value in found.items() if value}


def proxy_to(url: str, proxy: SecretStr | None, exemptions: str) -> str | None:
    """What requests to `url` go through. None: nothing, to this machine or to a host that `exemptions` (NO_PROXY)
    names."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", str(parts.port or {"http": 80, "https": 443}[parts.scheme])
    if proxy is None or is_loopback(host) or is_exempt(host, port, exemptions):
        return None
    return proxy.get_secret_value()


def unusable_proxy(proxy: str | None) -> list[str]:
    """A line where requests can't go through it: it must be `http://` or `https://`, with a host."""
    try:
        parts = urlsplit(proxy or "http://none")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    return (
        []
        if usable
        else [
            (
                "HTTPS_PROXY: must be http://host:port or https://host:port; Stripe is reached through no "
                "other kind of proxy"
            )
        ]
    )
