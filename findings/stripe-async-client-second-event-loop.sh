#!/usr/bin/env bash
# stripe 16.1.0 with httpx 0.28.1: an asynchronous StripeClient that is used in a second event loop.
# Behaviour: the POST reaches the server and is executed, and the caller gets APIConnectionError.
# With max_network_retries=2 the caller gets the answer, and the server has executed the request twice under one key.
# Output seen: "0 retries: ok, then APIConnectionError; executed: first, second"
#              "2 retries: ok, then ok; executed: first, second, second"
# Lesson: one asynchronous client belongs to one event loop, and a connection error says nothing about the effect.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "stripe[async]==16.1.0" "httpx==0.28.1"
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stripe

executed = []


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        executed.append(self.headers["Idempotency-Key"])
        body = json.dumps({"id": "cus_1", "object": "customer"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Quiet(ThreadingHTTPServer):
    def handle_error(self, *_):
        pass


server = Quiet(("127.0.0.1", 0), Answering)
threading.Thread(target=server.serve_forever, daemon=True).start()


def run(retries):
    executed.clear()
    client = stripe.StripeClient(
        "sk_" + "test_1",
        base_addresses={"api": f"http://127.0.0.1:{server.server_port}"},
        http_client=stripe.HTTPXClient(),
        max_network_retries=retries,
    )

    async def make(key):
        try:
            await client.v1.customers.create_async({}, {"idempotency_key": key})
            return "ok"
        except stripe.StripeError as error:
            return type(error).__name__

    told = f"{asyncio.run(make('first'))}, then {asyncio.run(make('second'))}"
    line = f"{retries} retries: {told}; executed: {', '.join(executed)}"
    print(line)
    return line


assert run(0) == "0 retries: ok, then APIConnectionError; executed: first, second"
assert run(2) == "2 retries: ok, then ok; executed: first, second, second"
PYTHON
