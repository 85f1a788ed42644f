#!/usr/bin/env bash
# grpcio 1.85.1: a channel calls an address where nobody listens, a few times. Then a server starts there, in the same
# process a second channel to it is made, with the same options, and used for the first time.
# Behaviour: the second channel's first call fails at once with UNAVAILABLE and "Connection refused", though the
# server is up, and it goes on so for seconds. Channels of one process share connections, and so the wait before
# the next attempt and the last attempt's error. A channel of which one option differs, whatever it is, gets through.
# Output seen: "after 8 failures: same options UNAVAILABLE Connection refused, other options OK",
#              "same options with grpc.use_local_subchannel_pool: OK"
# Lesson: "make a new client" is no way out of a reconnect backoff. Bound the backoff, wait_for_ready, or give the
# channel a pool of its own. "Connection refused" may be an old answer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "grpcio==1.85.1"
"$folder/venv/bin/python" -W error - <<'PYTHON'
import socket
import time
from concurrent import futures

import grpc

FAILURES = 8
LOCAL = ("grpc.use_local_subchannel_pool", 1)
OTHER = ("example.nothing", 1)


class Echo(grpc.GenericRpcHandler):
    def service(self, handler_call_details):
        return grpc.unary_unary_rpc_method_handler(lambda request, _context: request)


def call(channel):
    try:
        channel.unary_unary("/example.Example/Call")(b"", timeout=5)
    except grpc.RpcError as error:
        words = "Connection refused" if "Connection refused" in error.details() else error.details()
        return f"{error.code().name} {words}"
    return "OK"


def channel_to(port, *options):
    return grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0), *options])


def outcomes(*options):
    """Of a new channel with the options of one that failed for a while, and of one with another option."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with channel_to(port, *options) as failing:
        seen = 0
        until = time.monotonic() + 12
        while seen < FAILURES or time.monotonic() < until:
            assert call(failing).startswith("UNAVAILABLE")
            seen += 1
            time.sleep(0.2)
        server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Echo()])
        assert server.add_insecure_port(f"127.0.0.1:{port}") == port
        server.start()
        with channel_to(port, *options) as same, channel_to(port, *options, OTHER) as other:
            found = call(same), call(other)
        server.stop(0)
    return found


same, other = outcomes()
print(f"after {FAILURES} failures: same options {same}, other options {other}")
assert (same, other) == ("UNAVAILABLE Connection refused", "OK")
own, _ = outcomes(LOCAL)
print(f"same options with grpc.use_local_subchannel_pool: {own}")
assert own == "OK"
PYTHON
