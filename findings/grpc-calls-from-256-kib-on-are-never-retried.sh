#!/usr/bin/env bash
# grpcio 1.85.1: a retryPolicy in `grpc.service_config`, and a request of some size. The server refuses the first
# attempt with UNAVAILABLE and takes the second.
# Behaviour: a request of 250,000 bytes is retried. One of 256 KiB or more is sent once, and its UNAVAILABLE goes to the
# caller. Nothing says that the policy does not apply.
# The bound is the channel option `grpc.per_rpc_retry_buffer_size`; the limit of 4 MiB for messages is another.
# Output seen: "1000: OK at attempt 2", "250000: OK at attempt 2", "262144: UNAVAILABLE at attempt 1",
#              "1000000: UNAVAILABLE at attempt 1", "1000000 with a buffer of 4 MiB: OK at attempt 2"
# Lesson: batches are what is retried least. Raise the buffer to the largest request, or repeat by code under one key.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "grpcio==1.85.1"
"$folder/venv/bin/python" -W error - <<'PYTHON'
import json
from concurrent import futures

import grpc

attempts = 0
POLICY = {
    "maxAttempts": 4,
    "initialBackoff": "0.01s",
    "maxBackoff": "0.05s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
CONFIG = json.dumps({"methodConfig": [{"name": [{"service": "example.Example"}], "retryPolicy": POLICY}]})


class SecondTime(grpc.GenericRpcHandler):
    def service(self, handler_call_details):
        def answer(_request, context):
            global attempts
            attempts += 1
            if attempts == 1:
                context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[SecondTime()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()


def outcome(size, *more):
    global attempts
    attempts = 0
    options = [("grpc.service_config", CONFIG), ("grpc.enable_http_proxy", 0), *more]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        try:
            channel.unary_unary("/example.Example/Call")(b"x" * size, timeout=20)
            code = "OK"
        except grpc.RpcError as error:
            code = error.code().name
    return f"{code} at attempt {attempts}"


said = {str(size): outcome(size) for size in (1_000, 250_000, 262_144, 1_000_000)}
said["1000000 with a buffer of 4 MiB"] = outcome(1_000_000, ("grpc.per_rpc_retry_buffer_size", 4 << 20))
for name, seen in said.items():
    print(f"{name}: {seen}")
once, again = "UNAVAILABLE at attempt 1", "OK at attempt 2"
assert list(said.values()) == [again, again, once, once, again], said
server.stop(None)
PYTHON
