#!/usr/bin/env bash
# langchain-anthropic 1.7.10 (langchain-core 1.8.3, anthropic 2.14.0): usage_metadata of one answer, whole and streamed.
# The answer: 300 plain, 600 cached and 100 written tokens in, 500 out.
# Behaviour: of a stream it reads message_delta alone, and it adds up what it finds there. In the API a message_start
# holds the prompt, input counts of a message_delta may be absent, and counts of later ones are running totals.
# So the prompt is lost where message_delta holds only output_tokens. Two message_delta with 200 and then 500 make 700.
# The SDK below it reports each of these streams rightly.
# Output seen: "whole: 1000 in, 500 out", "streamed, one delta: 0 in, 500 out (the SDK: 1000, 500)",
#              "streamed, two deltas: 0 in, 700 out (the SDK: 1000, 500)",
#              "streamed, two deltas with input: 2000 in, 700 out (the SDK: 1000, 500)"
# Lesson: the shape of a provider's or gateway's stream decides what is billed. Meter at the SDK, or compare both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "langchain-anthropic==1.7.10" \
  "langchain-core==1.8.3" "anthropic==2.14.0"
LANGSMITH_TRACING=false "$folder/venv/bin/python" -W ignore::DeprecationWarning - <<'PYTHON'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
from langchain_anthropic import ChatAnthropic

PROMPT = {"input_tokens": 300, "cache_read_input_tokens": 600, "cache_creation_input_tokens": 100}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "stop_sequence": None}
deltas = []


def events():
    start = {**MESSAGE, "content": [], "stop_reason": None, "usage": {**PROMPT, "output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}}
    yield {"type": "content_block_stop", "index": 0}
    for usage in deltas:
        stop = {"stop_reason": "end_turn" if usage is deltas[-1] else None, "stop_sequence": None}
        yield {"type": "message_delta", "delta": stop, "usage": usage}
    yield {"type": "message_stop"}


class Provider(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if asked.get("stream") else "application/json")
        self.end_headers()
        if asked.get("stream"):
            for event in events():
                self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        else:
            whole = {"content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn"}
            self.wfile.write(json.dumps({**MESSAGE, **whole, "usage": {**PROMPT, "output_tokens": 500}}).encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
model = ChatAnthropic(model="claude-sonnet-4-5", base_url=address, api_key="none")
sdk = anthropic.Anthropic(base_url=address, api_key="none")


def by_langchain(answer):
    return answer.usage_metadata["input_tokens"], answer.usage_metadata["output_tokens"]


def by_sdk():
    question = [{"role": "user", "content": "hi"}]
    with sdk.messages.stream(model="claude-sonnet-4-5", max_tokens=9, messages=question) as stream:
        usage = stream.get_final_message().usage
    return usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens, usage.output_tokens


seen = by_langchain(model.invoke("hi"))
print("whole: {} in, {} out".format(*seen))
assert seen == (1000, 500), seen
CASES = {
    "one delta": ([{"output_tokens": 500}], (0, 500)),
    "two deltas": ([{"output_tokens": 200}, {"output_tokens": 500}], (0, 700)),
    "two deltas with input": ([{**PROMPT, "output_tokens": 200}, {**PROMPT, "output_tokens": 500}], (2000, 700)),
}
for name, (deltas, expected) in CASES.items():
    chunks = list(model.stream("hi"))
    whole = sum(chunks[1:], chunks[0])
    seen, right = by_langchain(whole), by_sdk()
    print("streamed, {}: {} in, {} out (the SDK: {}, {})".format(name, *seen, *right))
    assert (seen, right) == (expected, (1000, 500)), (name, seen, right)
PYTHON
