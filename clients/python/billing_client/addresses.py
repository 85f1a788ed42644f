"""What a gRPC address says: `host:port`, with one of gRPC's schemes before it or none."""

import ipaddress
import re

_SOCKET_SCHEMES = ("unix:", "unix-abstract:")
_NAME_SCHEMES = ("dns:", "ipv4:", "ipv6:")
_FORMS = "must be host:port"
_GRPC_SCHEMES = (*_SOCKET_SCHEMES, *_NAME_SCHEMES, "vsock:", "xds:", "google-c2p:")
_WEB_SCHEME = re.compile(r"(?:https?|grpcs?|tcp)://", re.ASCII | re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[\w.-]+):([0-9]{1,5})", re.ASCII)
_PORT_MAX = 65_535


def confirm_address(address: str) -> None:
    """Raises ValueError, which repeats nothing of it but `http://` and the like, for what leads nowhere: gRPC would
    look up its name."""
    if not address.isprintable() or " " in address:
        raise ValueError(_FORMS)
    if web := _WEB_SCHEME.match(address):
        raise ValueError(f"{_FORMS}, without {web[0].lower()}")
    if address.startswith(_GRPC_SCHEMES):
        return
    match = _HOST_AND_PORT.fullmatch(address)
    if match is None or not 0 < int(match[1]) <= _PORT_MAX:
        raise ValueError(_FORMS)


def host_and_port(address: str) -> tuple[str, str]:
    """Host in lower case without brackets, and port; the port is empty where there is none."""
    for scheme in _NAME_SCHEMES:
        address = address.removeprefix(scheme)
    target = address.rpartition("/")[2]  # `dns://resolver/host:port` names who resolves it
    host, separator, port = target.rpartition(":")
    if not separator or not port.isdigit() or (":" in host and not host.endswith("]")):
        host, port = target, ""
    return host.strip("[]").lower(), port


def is_local(address: str) -> bool:
    """Whether a gRPC address stays on this machine: a loopback address, `localhost` or a Unix socket."""
    if address.startswith(_SOCKET_SCHEMES):
        return True
    return is_loopback(host_and_port(address)[0])


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: `localhost`, or a loopback address without brackets."""
    if host == "localhost":
        return True
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback
