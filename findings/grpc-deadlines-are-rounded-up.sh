#!/usr/bin/env bash
# grpcio 1.85.1: a call's deadline reaches the server rounded up, in steps that grow with it.
# Behaviour: the header grpc-timeout has steps of 10 ms from 1 s on, of 100 ms from 10 s, of 1 s from 100 s and
# of 10 s from 1,000 s, always upwards.
# So the server believes in time that its caller doesn't have: 0.9 s of 100.1 s, 9 s of 1,001 s.
# Output seen: "1.001 s: +9 ms, 10.011 s: +89 ms, 100.1 s: +900 ms, 1001 s: +9000 ms"
# Lesson: work that begins just before the deadline may begin after its caller gave up; a test of deadlines needs this
# much room.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "grpcio==1.85.1"
"$folder/venv/bin/python" -W error - <<'PYTHON'
from concurrent import futures

import grpc

remaining = []


class Echo(grpc.GenericRpcHandler):
    def service(self, handler_call_details):
        def answer(request, context):
            remaining.append(context.time_remaining())
            return request

        return grpc.unary_unary_rpc_method_handler(answer)


server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[Echo()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
steps_ms = {1.001: 10, 10.011: 100, 100.1: 1_000, 1001: 10_000}
said = []
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    call = channel.unary_unary("/echo.Echo/Echo")
    call(b"x")
    for timeout_s, step_ms in steps_ms.items():
        for _ in range(20):
            call(b"x", timeout=timeout_s)
        more_ms = (max(remaining[-20:]) - timeout_s) * 1000
        said.append(f"{timeout_s} s: +{more_ms:.0f} ms")
        assert step_ms * 0.5 < more_ms <= step_ms, said
print(", ".join(said))
server.stop(None)
PYTHON
