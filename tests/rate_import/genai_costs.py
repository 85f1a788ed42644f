"""What genai-prices itself says that usages cost. Run by an interpreter that has it: cases as JSON on standard input,
costs on output.

Alone it imports nothing of ours. A cost is the text of the library's Decimal in USD, or the name of the error that it
raised.
"""

import json
import sys
import warnings
from datetime import UTC, datetime
from decimal import Decimal

from genai_prices import Usage, calc_price

warnings.simplefilter("error")

SUMS = {
    "input_tokens": (
        "input_tokens",
        "cached_input_tokens",
        "cache_write_tokens:5m",
        "cache_write_tokens:30m",
        "cache_write_tokens:1h",
        "input_audio_tokens",
        "cached_audio_tokens",
        "input_image_tokens",
        "cached_image_tokens",
        "units:input_video_tokens",
    ),
    "cache_read_tokens": ("cached_input_tokens", "cached_audio_tokens", "cached_image_tokens"),
    "cache_write_tokens": ("cache_write_tokens:5m", "cache_write_tokens:30m", "cache_write_tokens:1h"),
    "cache_write_5m_tokens": ("cache_write_tokens:5m",),
    "cache_write_1h_tokens": ("cache_write_tokens:1h",),
    "input_audio_tokens": ("input_audio_tokens", "cached_audio_tokens"),
    "cache_audio_read_tokens": ("cached_audio_tokens",),
    "input_image_tokens": ("input_image_tokens", "cached_image_tokens"),
    "cache_image_read_tokens": ("cached_image_tokens",),
    "input_video_tokens": ("units:input_video_tokens",),
    "output_tokens": (
        "output_tokens",
        "reasoning_tokens",
        "output_audio_tokens",
        "output_image_tokens",
        "units:output_video_tokens",
        "units:citation_tokens",
    ),
    "output_reasoning_tokens": ("reasoning_tokens",),
    "output_audio_tokens": ("output_audio_tokens",),
    "output_image_tokens": ("output_image_tokens",),
    "output_video_tokens": ("units:output_video_tokens",),
    "output_citation_tokens": ("units:citation_tokens",),
    "input_document_pages": ("units:pages", "units:annotated_pages"),
    "input_annotated_document_pages": ("units:annotated_pages",),
    "input_characters": ("units:input_characters",),
    "input_text_messages": ("units:text_messages",),
    "input_pixels": ("units:input_pixels",),
    "rerank_searches": ("units:queries",),
    "web_searches": ("units:web_searches",),
    "social_searches": ("units:social_searches",),
    "storage_searches": ("units:file_searches",),
    "code_executions": ("units:code_executions",),
}
"""Each usage key of the library as the sum of our disjoint lines."""


def cost(case):
    usage = {key: sum(case["lines"].get(word, 0) for word in words) for key, words in SUMS.items()}
    seconds = Decimal(case["lines"].get("seconds:in", 0)) / 1000
    # it wants each part of a sum named
    usage = {key: number for key, number in usage.items() if number or key.endswith("_tokens")}
    if seconds:
        usage |= {"audio_seconds": seconds, "input_audio_seconds": seconds}
    try:
        found = calc_price(
            Usage(**usage),
            case["model"],
            provider_id=case["provider"],
            genai_request_timestamp=datetime.fromtimestamp(case["time_s"], UTC),
            price_context=case.get("context") or None,
        )
    except Exception as error:  # noqa: BLE001 - whatever it raises is its answer
        return f"{type(error).__name__} {error}"
    return str(found.total_price)


if __name__ == "__main__":
    json.dump([cost(case) for case in json.load(sys.stdin)], sys.stdout)
