#!/usr/bin/env bash
# grpcio 1.85.1: `timeout` of a method in `grpc.service_config`, against the `timeout` argument of a call.
# Behaviour: a configured timeout ends between 1 and 2 seconds early. By how much depends on the fraction of a second at
# which the process started. One of 1 s fails at once, before anything is sent. One of 4 s ends after 2 to 3 s.
# The server is told nothing of it: time_remaining() there says no limit. The argument of a call is exact.
# Output seen: "argument 1 s: after 1.0 s", "configured 1 s: after 0.0 s, 0 requests at the server",
#              "configured 4 s: after 2.1 s, 1 request, the server saw no deadline"
# Lesson: give each call its deadline as an argument. A configured one makes writes of unknown outcome, and nothing
# tells the server that its caller is gone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "grpcio==1.85.1"
"$folder/venv/bin/python" -W error - <<'PYTHON'
import json
import threading
import time
from concurrent import futures

import grpc

YEAR_S = 365 * 86400
remaining = []
done = threading.Event()


class Slow(grpc.GenericRpcHandler):
    def service(self, handler_call_details):
        def answer(request, context):
            remaining.append(context.time_remaining())
            done.wait(8)
            return request

        return grpc.unary_unary_rpc_method_handler(answer)


server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Slow()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()


def seconds(configured=None, argument=None):
    """How long a call waits for its DEADLINE_EXCEEDED."""
    limit = {"timeout": f"{configured}s"} if configured else {}
    config = json.dumps({"methodConfig": [{"name": [{"service": "slow.Slow"}], **limit}]})
    options = [("grpc.service_config", config), ("grpc.enable_http_proxy", 0)]
    remaining.clear()
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        begun = time.monotonic()
        try:
            channel.unary_unary("/slow.Slow/Slow")(b"", timeout=argument)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED, error
        else:
            raise SystemExit("the call had no deadline: this finding is out of date")
        return time.monotonic() - begun


exact = seconds(argument=1)
print(f"argument 1 s: after {exact:.1f} s")
assert 0.95 < exact < 1.8, exact
at_once = seconds(configured=1)
print(f"configured 1 s: after {at_once:.1f} s, {len(remaining)} requests at the server")
assert at_once < 0.5, at_once
assert not remaining, remaining
early = seconds(configured=4)
(told,) = remaining
print(f"configured 4 s: after {early:.1f} s, 1 request, the server saw {'no' if told > YEAR_S else 'a'} deadline")
assert 1.9 < early < 3.5, early
assert told > YEAR_S, told
done.set()
server.stop(None)
PYTHON
