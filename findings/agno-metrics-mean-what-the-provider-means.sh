#!/usr/bin/env bash
# agno 3.1.10 (openai 3.3.0, anthropic 2.14.0, google-genai 3.6.1): the metrics of a run, for one usage at three
# providers, each of which reports it in its documented shape.
# The usage: 1000 tokens in, of them 600 cached and at Anthropic 100 written; 500 out, elsewhere with 200 of reasoning.
# Behaviour: the fields have one name and three meanings. Cached tokens are inside input_tokens for OpenAI and Google,
# and outside for Anthropic. Reasoning is inside output_tokens for OpenAI and outside for Google.
# total_tokens is the sum of the two fields, so it loses 700 tokens at Anthropic and 200 at Google.
# Output seen: "openai: input 1000, output 500, cached 600, reasoning 200, total 1500"
#              "anthropic: input 300, output 500, cached 600, reasoning 0, total 800"
#              "google: input 1000, output 300, cached 600, reasoning 200, total 1300"
# Lesson: no rule over a framework's fields bills all providers rightly. Know the provider, and use its own raw usage.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "agno==3.1.10" "openai==3.3.0" "anthropic==2.14.0" \
  "google-genai==3.6.1"
AGNO_TELEMETRY=false "$folder/venv/bin/python" - <<'PYTHON'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from agno.agent import Agent
from agno.models.anthropic import Claude
from agno.models.google import Gemini
from agno.models.openai import OpenAIChat
from google import genai

OPENAI = {
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
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 300,
        "cache_read_input_tokens": 600,
        "cache_creation_input_tokens": 100,
        "output_tokens": 500,
    },
}
GOOGLE = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "hello"}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 600,
        "candidatesTokenCount": 300,
        "thoughtsTokenCount": 200,
        "totalTokenCount": 1500,
    },
    "modelVersion": "gemini-2.5-flash",
}


class Providers(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = OPENAI if "/chat/completions" in self.path else ANTHROPIC if "/messages" in self.path else GOOGLE
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Providers)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
models = {
    "openai": OpenAIChat(id="gpt-5-mini", base_url=f"{address}/v1", api_key="none"),
    "anthropic": Claude(id="claude-haiku-4-5", api_key="none", client_params={"base_url": address}),
    "google": Gemini(id="gemini-2.5-flash", client=genai.Client(api_key="none", http_options={"base_url": address})),
}
expected = {
    "openai": (1000, 500, 600, 200, 1500),
    "anthropic": (300, 500, 600, 0, 800),
    "google": (1000, 300, 600, 200, 1300),
}
for name, model in models.items():
    metrics = Agent(model=model, telemetry=False).run("hi").metrics
    fields = ("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens", "total_tokens")
    seen = tuple(getattr(metrics, field) for field in fields)
    print("{}: input {}, output {}, cached {}, reasoning {}, total {}".format(name, *seen))
    assert seen == expected[name], (name, seen)
PYTHON
