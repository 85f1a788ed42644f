"""Tests and benchmarks speak to this machine alone, also where a proxy is in the environment."""

import os

LOOPBACK = "127.0.0.1,localhost,::1"


def exempt_loopback() -> None:
    """Of gRPC, httpx and urllib in this process and in those that it starts."""
    for name in ("no_proxy", "NO_PROXY"):
        given = os.environ.get(name)
        os.environ[name] = f"{given},{LOOPBACK}" if given else LOOPBACK
