#!/usr/bin/env bash
# grpcio 1.85.1: the three `*_reconnect_backoff_ms` channel options, set short so that a client comes back soon after a
# restart.
# Behaviour: `grpc.min_reconnect_backoff_ms` is also the time that one attempt to connect may take. With 100 ms for all
# three options and a way that takes 200 ms in each direction, every attempt is given up and the call never gets
# through. With gRPC's defaults it does.
# Output seen: "defaults: ok after 1 connection", "100 ms: DEADLINE_EXCEEDED after 29 connections"
# Lesson: make the first backoff short, and leave the least one at the longest time that a handshake may take.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "grpcio==1.85.1"
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio

import grpc

ONE_WAY_S = 0.2
SHORT = [(f"grpc.{which}_reconnect_backoff_ms", 100) for which in ("initial", "min", "max")]


async def main():
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # of relays that end with the program

    async def answer(_request, _context):
        return b"ok"

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Example", {"Call": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    connections = 0

    async def carry(reader, writer):
        try:
            while data := await reader.read(65536):
                await asyncio.sleep(ONE_WAY_S)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def relay(reader, writer):
        nonlocal connections
        connections += 1
        to_server = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, to_server[1]), carry(to_server[0], writer))

    far = await asyncio.start_server(relay, "127.0.0.1", 0)
    address = f"127.0.0.1:{far.sockets[0].getsockname()[1]}"
    seen = {}
    for name, options in (("defaults", []), ("100 ms", SHORT)):
        connections = 0
        own = [*options, ("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(address, options=own) as channel:
            try:
                await channel.unary_unary("/Example/Call")(b"", timeout=3, wait_for_ready=True)
                seen[name] = "ok"
            except grpc.aio.AioRpcError as error:
                seen[name] = error.code().name
        print(f"{name}: {seen[name]} after {connections} connection{'s' if connections > 1 else ''}")
    assert seen == {"defaults": "ok", "100 ms": "DEADLINE_EXCEEDED"}, seen
    assert connections > 10, connections


asyncio.run(main())
PYTHON
