#!/usr/bin/env bash
# stripe 16.1.0 for Python and stripe 23.1.0 for Node: values that are to be cleared by an update.
# Behaviour: Python's SDK leaves None out of the request, so the old value stays and the call succeeds. Node's sends the
# empty value that clears it. Both leave out an empty list and an empty object, so tax rates and metadata stay too.
# An update that consists of such values is sent with an empty body and succeeds.
# Output seen, each in one line:
#   "python: None or null sends [], empty ones [], the empty string [metadata[plan]=&description=&default_tax_rates=]"
#   "node: None or null sends [metadata[plan]=&description=], empty ones [],
#    the empty string [metadata[plan]=&description=&default_tax_rates=]"
# Lesson: clear with the empty string, in every language, and read back what is to be gone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "stripe==16.1.0"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" "stripe@23.1.0"
cat > "$folder/update.cjs" <<'NODE'
const Stripe = require('stripe');
const [port, updates] = [Number(process.argv[2]), JSON.parse(process.argv[3])];
const own = {host: '127.0.0.1', port, protocol: 'http', telemetry: false};
const client = new (Stripe.default || Stripe)('sk_' + 'test_1', own);
(async () => {
  for (const update of updates) await client.subscriptions.update('sub_1', update);
})();
NODE
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import stripe

bodies = []


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        bodies.append(unquote(self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()))
        body = json.dumps({"id": "sub_1", "object": "subscription"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
threading.Thread(target=server.serve_forever, daemon=True).start()
NONE = {"metadata": {"plan": None}, "description": None}
EMPTY = {"default_tax_rates": [], "metadata": {}}
TEXT = {"metadata": {"plan": ""}, "description": "", "default_tax_rates": ""}


def by_python(updates):
    bodies.clear()
    address = f"http://127.0.0.1:{server.server_port}"
    client = stripe.StripeClient("sk_" + "test_1", base_addresses={"api": address})
    for update in updates:
        client.v1.subscriptions.update("sub_1", update)
    return bodies[:]


def by_node(updates):
    bodies.clear()
    command = ["node", f"{sys.argv[1]}/update.cjs", str(server.server_port), json.dumps(updates)]
    subprocess.run(command, check=True)
    return bodies[:]


for name, send in (("python", by_python), ("node", by_node)):
    none, empty, text = send([NONE, EMPTY, TEXT])
    print(f"{name}: None or null sends [{none}], empty ones [{empty}], the empty string [{text}]")
    assert none == ("" if name == "python" else "metadata[plan]=&description="), (name, none)
    assert empty == "", (name, empty)
    assert text == "metadata[plan]=&description=&default_tax_rates=", (name, text)
PYTHON
