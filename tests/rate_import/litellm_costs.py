"""What litellm itself says that usages cost. Run by an interpreter that has litellm: cases as JSON on standard input,
costs on output.

Alone it imports nothing of ours. A cost is the text of litellm's float in USD, or the name of the error that it raised.
"""

import json
import os
import sys
from datetime import UTC, datetime

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from litellm import _internal_context
from litellm.types.utils import (
    CacheCreationTokenDetails,
    CompletionTokensDetailsWrapper,
    PromptTokensDetailsWrapper,
    Usage,
)

litellm.suppress_debug_info = True

PROMPT = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens:5m",
    "cache_write_tokens:30m",
    "cache_write_tokens:1h",
    "cache_write_tokens:12h",
    "input_audio_tokens",
    "cached_audio_tokens",
    "input_image_tokens",
    "cached_image_tokens",
)
COMPLETION = ("output_tokens", "reasoning_tokens", "output_audio_tokens", "output_image_tokens")


def usage_of(lines, attributes):
    """litellm's usage of disjoint lines."""

    def count(name):
        return lines.get(name, 0)

    prompt, completion = sum(map(count, PROMPT)), sum(map(count, COMPLETION))
    cached = {
        kind: count(f"cached_{word}_tokens")
        for kind, word in (("text", "input"), ("audio", "audio"), ("image", "image"))
    }
    written = {life: count(f"cache_write_tokens:{life}") for life in ("5m", "30m", "1h", "12h")}
    prompt_details = PromptTokensDetailsWrapper(
        text_tokens=count("input_tokens") + cached["text"],
        audio_tokens=count("input_audio_tokens") + cached["audio"],
        image_tokens=count("input_image_tokens") + cached["image"],
        cached_tokens=sum(cached.values()),
        cached_tokens_details={f"{kind}_tokens": number for kind, number in cached.items()},
        cache_creation_tokens=sum(written.values()),
        cache_creation_token_details=CacheCreationTokenDetails(
            **{f"ephemeral_{life}_input_tokens": number for life, number in written.items()}
        ),
    )
    if attributes.get("cache_type"):
        prompt_details.cache_type = attributes["cache_type"]
    completion_details = CompletionTokensDetailsWrapper(
        text_tokens=count("output_tokens"),
        reasoning_tokens=count("reasoning_tokens"),
        audio_tokens=count("output_audio_tokens"),
        image_tokens=count("output_image_tokens"),
    )
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_tokens_details=prompt_details,
        completion_tokens_details=completion_details,
    )
    if "speed" in attributes:
        usage.speed = attributes["speed"]
    if "region" in attributes:
        usage.inference_geo = attributes["region"]
    return usage


def cost(case):
    attributes = case.get("attributes", {})
    tier = case.get("service_tier") or None
    kind = {"batch": "aretrieve_batch", "decisions": "decisions"}.get(tier, "completion")
    seconds = case["lines"].get("seconds:in", 0)
    if seconds:
        kind = "transcription"
    moment = datetime.fromtimestamp(case["time_s"], UTC)
    token = _internal_context._billing_time.set(moment)
    try:
        prompt, completion = litellm.cost_per_token(
            model=case["model"],
            custom_llm_provider=case["provider"],
            usage_object=usage_of(case["lines"], attributes),
            service_tier=None if kind != "completion" else tier,
            call_type=kind,
            data_residency=attributes.get("region"),
            vertex_location="us-east5" if attributes.get("endpoint") == "regional" else None,
            audio_transcription_file_duration=seconds / 1000,
        )
    except Exception as error:  # noqa: BLE001 - whatever it raises is its answer
        return type(error).__name__
    finally:
        _internal_context._billing_time.reset(token)
    return repr(prompt + completion)


if __name__ == "__main__":
    json.dump([cost(case) for case in json.load(sys.stdin)], sys.stdout)
