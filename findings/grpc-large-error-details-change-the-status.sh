#!/usr/bin/env bash
# grpcio 1.85.1 and grpcio-status 1.85.1: an error with google.rpc details of some kilobytes, client and server with
# default settings.
# Behaviour: up to 7 KiB the client gets the status that the server gave. Between 8 and 16 KiB, the same call gets
# either that status or RESOURCE_EXHAUSTED, by chance, and more often the larger the details are. Above 16 KiB it is
# always RESOURCE_EXHAUSTED, without details.
# Output seen: "7000: FAILED_PRECONDITION 300", "10000: FAILED_PRECONDITION 219, RESOURCE_EXHAUSTED 81",
#              "15000: FAILED_PRECONDITION 41, RESOURCE_EXHAUSTED 259", "17000: RESOURCE_EXHAUSTED 300"
# Lesson: bound what goes into details. A client that treats RESOURCE_EXHAUSTED as "later" retries a final refusal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "grpcio==1.85.1" "grpcio-status==1.85.1"
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
from collections import Counter

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

CALLS = 300


async def statuses(size):
    async def refuse(_request, context):
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.ErrorInfo(reason="NO", domain="example", metadata={"why": "x" * size}))
        status = status_pb2.Status(code=grpc.StatusCode.FAILED_PRECONDITION.value[0], message="no", details=[detail])
        await context.abort_with_status(rpc_status.to_status(status))

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(refuse)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Example", {"Refuse": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    seen = Counter()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for _ in range(CALLS):
            try:
                await channel.unary_unary("/Example/Refuse")(b"")
            except grpc.aio.AioRpcError as error:
                seen[error.code().name] += 1
    await server.stop(None)
    print(f"{size}: " + ", ".join(f"{name} {count}" for name, count in sorted(seen.items())))
    return seen


async def main():
    assert set(await statuses(7_000)) == {"FAILED_PRECONDITION"}
    some, most = await statuses(10_000), await statuses(15_000)
    assert set(some) == set(most) == {"FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"}
    assert some["RESOURCE_EXHAUSTED"] < CALLS / 2 < most["RESOURCE_EXHAUSTED"]
    assert set(await statuses(17_000)) == {"RESOURCE_EXHAUSTED"}


asyncio.run(main())
PYTHON
