#!/usr/bin/env bash
# langchain-openai 1.7.4 (openai 3.57.0) and openai-agents 0.24.0 (openai 3.3.0): streamed chat completions by default
# settings, then through a gateway (base_url), then at the provider's own address with an http_client of one's own.
# Behaviour: both ask for usage (`stream_options.include_usage`) at the provider's own address alone. ChatOpenAI stops
# asking as soon as it is given an http_client too. A provider that is not asked sends no usage.
# LangChain's callback then counts nothing. The agents count 1 request of 0 tokens. Calls that don't stream are counted.
# Output seen: "langchain: own address 1000, gateway nothing, own http_client nothing, gateway unstreamed 1000"
#              "agents: own address 1000, gateway 0, own http_client 1000, gateway unstreamed 1000"
# Lesson: a metering gateway switches off the metering before it. Set `stream_usage` or `include_usage` to True, and
# take 0 tokens of a finished request for unknown.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for name in langchain agents; do python3 -m venv "$folder/$name"; done
"$folder/langchain/bin/pip" install --quiet --disable-pip-version-check "langchain-openai==1.7.4" "openai==3.57.0"
"$folder/agents/bin/pip" install --quiet --disable-pip-version-check "openai-agents==0.24.0" "openai==3.3.0"
cat > "$folder/provider.py" <<'PYTHON'
"""A provider inside the process: httpx2 hands every request to it and opens no connection."""
import json

import httpx2

USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 500,
    "total_tokens": 1500,
    "prompt_tokens_details": {"cached_tokens": 600},
    "completion_tokens_details": {"reasoning_tokens": 200},
}
ANSWER = {"id": "c1", "created": 1, "model": "gpt-5-mini"}
GATEWAY = "http://gateway.example/v1"


def answer(request):
    asked = json.loads(request.content)
    if not asked.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
        return httpx2.Response(200, json={**ANSWER, "object": "chat.completion", "choices": [choice], "usage": USAGE})
    chunks = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]}]
    if (asked.get("stream_options") or {}).get("include_usage"):
        chunks.append({"choices": [], "usage": USAGE})
    lines = [json.dumps({**ANSWER, "object": "chat.completion.chunk", **chunk}) for chunk in chunks] + ["[DONE]"]
    text = "".join(f"data: {line}\n\n" for line in lines)
    return httpx2.Response(200, headers={"Content-Type": "text/event-stream"}, text=text)


async def answer_async(_transport, request):
    return answer(request)


httpx2.HTTPTransport.handle_request = lambda _transport, request: answer(request)
httpx2.AsyncHTTPTransport.handle_async_request = answer_async
PYTHON
cat > "$folder/by_langchain.py" <<'PYTHON'
import httpx2
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_openai import ChatOpenAI
from provider import GATEWAY


def counted(streamed=True, **own):
    model = ChatOpenAI(model="gpt-5-mini", api_key="none", **own)
    with get_usage_metadata_callback() as callback:
        list(model.stream("hi")) if streamed else model.invoke("hi")
    return callback.usage_metadata["gpt-5-mini"]["input_tokens"] if callback.usage_metadata else "nothing"


ways = [counted(), counted(base_url=GATEWAY), counted(http_client=httpx2.Client()), counted(False, base_url=GATEWAY)]
print("langchain: own address {}, gateway {}, own http_client {}, gateway unstreamed {}".format(*ways))
assert ways == [1000, "nothing", "nothing", 1000], ways
PYTHON
cat > "$folder/by_agents.py" <<'PYTHON'
import asyncio

import httpx2
from provider import GATEWAY

from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from openai import AsyncOpenAI


async def counted(streamed=True, **own):
    model = OpenAIChatCompletionsModel("gpt-5-mini", AsyncOpenAI(api_key="none", **own))
    agent = Agent(name="one", model=model)
    if streamed:
        result = Runner.run_streamed(agent, "hi")
        async for _ in result.stream_events():
            pass
    else:
        result = await Runner.run(agent, "hi")
    usage = result.context_wrapper.usage
    assert usage.requests == 1, usage
    return usage.input_tokens


async def main():
    own_client = await counted(http_client=httpx2.AsyncClient())
    ways = [await counted(), await counted(base_url=GATEWAY), own_client, await counted(False, base_url=GATEWAY)]
    print("agents: own address {}, gateway {}, own http_client {}, gateway unstreamed {}".format(*ways))
    assert ways == [1000, 0, 1000, 1000], ways


set_tracing_disabled(True)
asyncio.run(main())
PYTHON
for name in langchain agents; do
  env -u OPENAI_BASE_URL LANGSMITH_TRACING=false PYTHONPATH="$folder" "$folder/$name/bin/python" "$folder/by_$name.py"
done
