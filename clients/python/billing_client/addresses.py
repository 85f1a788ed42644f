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


def addresses_of(target: str) -> tuple[str, ...]:
    """Of a list with commas; else the target itself. gRPC has lists of its own, after `ipv4:` and `ipv6:`, which it
    uses as it likes."""
    return (target,) if target.startswith(_GRPC_SCHEMES) else tuple(dict.fromkeys(target.split(",")))


def name_and_port(target: str) -> tuple[str, str] | None:
    """The name of a `dns:` target, all of whose addresses are used, and its port. None: it is something else, or names
    who resolves it."""
    scheme, separator, name = target.partition(":")
    if scheme != "dns" or not separator or "," in target:
        return None
    host, separator, port = name.removeprefix("///").rpartition(":")
    return None if not separator or not port.isdigit() or "/" in host else (host, port)


def confirm_address(target: str) -> None:
    """Raises ValueError, which repeats nothing of it but `http://` and the like, for what leads nowhere: gRPC would
    look up its name. A list with commas has addresses of hosts alone."""
    if target.startswith(_GRPC_SCHEMES):
        _confirm_one(target)
        return
    listed = target.split(",")
    for address in listed:
        if address.startswith(_GRPC_SCHEMES):
            raise ValueError("must be host:port, each of a list")
        _confirm_one(address)


def _confirm_one(address: str) -> None:
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
    """Whether a gRPC address stays on this machine: a loopback address, `localhost` or a Unix socket. A list does if
    all of it does."""
    listed = addresses_of(address)
    if len(listed) > 1:
        return all(map(is_local, listed))
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
