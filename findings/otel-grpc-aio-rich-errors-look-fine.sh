#!/usr/bin/env bash
# opentelemetry-instrumentation-grpc 0.66b2 with grpcio 1.85.1: server spans of grpc.aio for errors with details.
# Behaviour: context.abort makes a span with status ERROR and rpc.grpc.status_code 13. context.abort_with_status, the
# only way to send google.rpc details, makes a span that looks like success: status UNSET, code 0. The client gets
# INTERNAL both times.
# Output seen: "Plain: client INTERNAL, span ERROR 13", "Rich: client INTERNAL, span UNSET 0"
# Lesson: a service with rich errors needs an interceptor of its own, or its traces say that nothing ever fails.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "grpcio==1.85.1" "grpcio-status==1.85.1" \
  "opentelemetry-instrumentation-grpc==0.66b2" "opentelemetry-sdk==1.45.2" "setuptools==80.9.0"
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio

import grpc
from google.rpc import status_pb2
from grpc_status import rpc_status
from opentelemetry.instrumentation.grpc import aio_server_interceptor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))


async def plain(_request, context):
    await context.abort(grpc.StatusCode.INTERNAL, "no")


async def rich(_request, context):
    await context.abort_with_status(rpc_status.to_status(status_pb2.Status(code=13, message="no")))


async def main():
    server = grpc.aio.server(interceptors=[aio_server_interceptor(tracer_provider=provider)])
    methods = {name: grpc.unary_unary_rpc_method_handler(method) for name, method in (("Plain", plain), ("Rich", rich))}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Example", methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    lines = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for name in methods:
            spans.clear()
            try:
                await channel.unary_unary(f"/Example/{name}")(b"")
            except grpc.aio.AioRpcError as error:
                code = error.code().name
            await asyncio.sleep(0.1)
            (span,) = spans.get_finished_spans()
            status, number = span.status.status_code.name, span.attributes["rpc.grpc.status_code"]
            lines.append(f"{name}: client {code}, span {status} {number}")
    await server.stop(None)
    print("\n".join(lines))
    assert lines == ["Plain: client INTERNAL, span ERROR 13", "Rich: client INTERNAL, span UNSET 0"], lines


asyncio.run(main())
PYTHON
