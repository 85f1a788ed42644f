"""What a gRPC address says: `host:port`, with one of gRPC's schemes before it or none."""

import ipaddress

_SOCKET_SCHEMES = ("unix:", "unix-abstract:")
_NAME_SCHEMES = ("dns:", "ipv4:", "ipv6:")


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
