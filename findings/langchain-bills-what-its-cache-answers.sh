#!/usr/bin/env bash
# langchain-core 1.8.3, langchain-openai 1.7.4 and langchain-community 0.4.2: a language-model cache and the counters of
# usage. One question is asked twice, and the second answer comes from the cache.
# Behaviour: the provider has one request. Both counters have two: get_usage_metadata_callback adds the stored usage
# again, and get_openai_callback adds its price again. A cached answer says so by `total_cost: 0` in its usage alone.
# Output seen: "requests 1", "get_usage_metadata_callback: 2000 in, 1000 out",
#              "get_openai_callback: 2 requests, 3000 tokens, USD 0.00223", "the cached answer: total_cost 0"
# Lesson: usage that a framework reports is not usage that a provider delivered. Leave out answers with total_cost 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "langchain-core==1.8.3" "langchain-openai==1.7.4" \
  "langchain-community==0.4.2"
LANGSMITH_TRACING=false "$folder/venv/bin/python" -W ignore::DeprecationWarning - <<'PYTHON'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from langchain_community.callbacks import get_openai_callback
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_openai import ChatOpenAI

requests = []
ANSWER = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 1000,
        "completion_tokens": 500,
        "total_tokens": 1500,
        "prompt_tokens_details": {"cached_tokens": 600},
        "completion_tokens_details": {"reasoning_tokens": 200},
    },
}


class Provider(BaseHTTPRequestHandler):
    def do_POST(self):
        requests.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(ANSWER).encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}/v1"
model = ChatOpenAI(model="gpt-5-mini", base_url=address, api_key="none", cache=InMemoryCache())
with get_usage_metadata_callback() as usage, get_openai_callback() as bill:
    first, second = model.invoke("hi"), model.invoke("hi")
counted = usage.usage_metadata["gpt-5-mini"]
lines = [
    f"requests {len(requests)}",
    f"get_usage_metadata_callback: {counted['input_tokens']} in, {counted['output_tokens']} out",
    f"get_openai_callback: {bill.successful_requests} requests, {bill.total_tokens} tokens, USD {bill.total_cost:.5f}",
    f"the cached answer: total_cost {second.usage_metadata.get('total_cost')}",
]
print("\n".join(lines))
assert lines == [
    "requests 1",
    "get_usage_metadata_callback: 2000 in, 1000 out",
    "get_openai_callback: 2 requests, 3000 tokens, USD 0.00223",
    "the cached answer: total_cost 0",
], lines
assert "total_cost" not in first.usage_metadata, first.usage_metadata
PYTHON
