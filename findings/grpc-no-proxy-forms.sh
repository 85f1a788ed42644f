#!/usr/bin/env bash
# grpcio 1.85.1: which spellings keep a call to this machine away from the proxy in `http_proxy`.
# Behaviour: without an exception even a call to 127.0.0.1 goes to the proxy as a CONNECT, with whatever the call
# carries. `no_proxy` in small letters with the address, a suffix of it or its network is heeded. `no_proxy=*`,
# `NO_PROXY` in capitals and an address with its port are ignored, though other programs heed all three.
# Output seen: "nothing set: proxy", "no_proxy=127.0.0.1: direct", "no_proxy=127.0.0.0/8: direct", "no_proxy=*: proxy",
#              "NO_PROXY=127.0.0.1: proxy", "no_proxy=127.0.0.1:9: proxy"
# Lesson: switch the proxy off for the channel (`grpc.enable_http_proxy`: 0) instead of trusting the environment.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "grpcio==1.85.1"
cat > "$folder/call.py" <<'PYTHON'
import os
import socket
import sys
import threading

met = []
proxy = socket.socket()
proxy.bind(("127.0.0.1", 0))
proxy.listen()


def accept():
    while True:
        connection, _ = proxy.accept()
        met.append(connection.recv(200))
        connection.close()


threading.Thread(target=accept, daemon=True).start()
for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]
os.environ["http_proxy"] = f"http://127.0.0.1:{proxy.getsockname()[1]}"
if sys.argv[1]:
    name, _, value = sys.argv[1].partition("=")
    os.environ[name] = value

import grpc  # noqa: E402 - after the environment that it reads

try:
    grpc.insecure_channel("127.0.0.1:9").unary_unary("/Example/Call")(b"", timeout=5)
except grpc.RpcError:
    pass
print("proxy" if met and met[0].startswith(b"CONNECT 127.0.0.1:9 ") else "direct")
PYTHON
expect() {
  seen=$("$folder/venv/bin/python" "$folder/call.py" "$1" 2>/dev/null)
  echo "${1:-nothing set}: $seen"
  [ "$seen" = "$2" ]
}
expect "" proxy
expect "no_proxy=127.0.0.1" direct
expect "no_proxy=127.0.0.0/8" direct
expect "no_proxy=*" proxy
expect "NO_PROXY=127.0.0.1" proxy
expect "no_proxy=127.0.0.1:9" proxy
