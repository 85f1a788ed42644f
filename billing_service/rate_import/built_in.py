"""Makes the card that comes with the service: today's common models, from litellm's price map.

    python -m billing_service.rate_import.built_in    # needs litellm: pip install 'prepaid-billing[rates-litellm]'

Prices change every week. The built-in card lets a fresh service price usage; a deployment imports its own.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from billing_service.domain.catalogue.moments import moment_us
from billing_service.domain.catalogue.rate_card_checks import checked
from billing_service.domain.catalogue.rate_card_text import card_text
from billing_service.domain.catalogue.rate_cards import DATED, Alias, Entry, RateCard
from billing_service.rate_import.libraries import installed_litellm
from billing_service.rate_import.litellm import import_litellm

DAY: Final = "2026-11-30"
"""Of the prices: the day on which the release of litellm was looked at."""
TARGET: Final = Path(__file__).parents[1] / "rate_cards" / "built_in.json"

MODELS: Final = {
    "openai": """gpt-4o gpt-4o-mini gpt-4.1 gpt-4.1-mini gpt-4.1-nano gpt-5 gpt-5-mini gpt-5-nano gpt-5-pro
        gpt-5-codex gpt-5-chat-latest gpt-5.1 gpt-5.1-codex gpt-5.1-codex-mini gpt-5.2 gpt-5.2-codex gpt-5.2-pro
        gpt-5.3-codex gpt-5.4 gpt-5.4-mini gpt-5.4-nano gpt-5.4-pro gpt-5.5 gpt-5.5-pro gpt-5.6 gpt-5.6-luna
        gpt-5.6-sol gpt-5.6-terra gpt-6-astra gpt-6-luna gpt-6-sol gpt-6.1-sol gpt-6.1-terra o1 o3 o3-mini o3-pro
        o4-mini gpt-audio gpt-audio-mini gpt-realtime gpt-realtime-mini gpt-realtime-2.1 gpt-4o-transcribe
        gpt-4o-mini-transcribe gpt-4o-mini-tts whisper-1 tts-1 tts-1-hd gpt-image-1 gpt-image-1-mini gpt-image-1.5
        gpt-image-2 text-embedding-3-small text-embedding-3-large text-embedding-ada-002 sora-2 sora-2-pro""",
    "anthropic": """claude-haiku-4-5 claude-haiku-5-5 claude-sonnet-4-5 claude-sonnet-4-6 claude-sonnet-5
        claude-sonnet-5-5 claude-opus-4-5 claude-opus-4-6 claude-opus-4-7 claude-opus-4-8 claude-opus-5
        claude-opus-5-5 claude-fable-5 claude-fable-5-1 claude-mythos-5 claude-mythos-5-1""",
    "gemini": """gemini-2.5-pro gemini-2.5-flash gemini-2.5-flash-lite gemini-2.5-flash-image gemini-3-flash-preview
        gemini-3.1-pro-preview gemini-3.1-flash-lite gemini-3.1-flash-image gemini-3-pro-image gemini-3.5-flash
        gemini-3.5-flash-lite gemini-3.6-flash gemini-3.7-flash gemini-3.8-flash gemini-3.8-live
        gemini-3.8-flash-tts gemini-4-argon gemini-flash-latest gemini-pro-latest gemini-embedding-001
        gemini-embedding-2 veo-3.1-generate-001 veo-3.1-fast-generate-001""",
    "xai": """grok-4.3 grok-4.5 grok-4.6 grok-4.7 grok-4.20 grok-4.20-reasoning grok-4.20-non-reasoning
        grok-code-fast-1 grok-build-0.1 grok-imagine-image-2.0 grok-imagine-video-1.5""",
    "mistral": """mistral-large-latest mistral-large-4 mistral-large-2512 mistral-medium-latest mistral-medium-3-5
        mistral-small-latest mistral-small-2603 ministral-3b-latest ministral-8b-latest ministral-14b-latest
        magistral-medium-latest magistral-small-latest codestral-latest devstral-latest open-mistral-nemo
        pixtral-large-latest voxtral-small-latest mistral-embed codestral-embed mistral-ocr-latest""",
    "deepseek": "deepseek-chat deepseek-reasoner deepseek-flash deepseek-v4-flash deepseek-v4-pro",
    "groq": """openai/gpt-oss-120b openai/gpt-oss-20b openai/gpt-oss-safeguard-20b qwen/qwen3.8-27b
        canopylabs/orpheus-v1-english meta-llama/llama-prompt-guard-2-86m""",
    "cohere": """command-a-03-2025 command-a-plus-05-2026 command-r-08-2024 command-r-plus-08-2024
        command-r7b-12-2024 embed-v4.0 embed-v5.0-pro embed-v5.0-fast rerank-v3.5 rerank-v4.0-fast rerank-v4.0-pro
        rerank-v5.0-fast rerank-v5.0-pro""",
    "moonshot": "kimi-k2.5 kimi-k2.6 kimi-k2.7-code kimi-k3 kimi-k3.1-pro",
    "perplexity": "sonar sonar-pro sonar-reasoning-pro sonar-deep-research",
    "voyage": "voyage-3.5 voyage-3.5-lite voyage-4 voyage-4-large voyage-4-lite voyage-code-4 rerank-2.5 rerank-3",
}
"""Names without a date. Of each, dated names are priced as the name itself where litellm has no other price of them."""
OTHER_PROVIDERS: Final = {
    "google": "gemini",
    "gcp.gemini": "gemini",
    "x-ai": "xai",
    "x_ai": "xai",
    "mistral_ai": "mistral",
}
"""Names of providers in OpenTelemetry's conventions and in genai-prices, where they differ from litellm's."""
_DATED: Final = re.compile(r"-20[0-9]{2}-?[0-9]{2}-?[0-9]{2}")


def built_in_card(whole: RateCard) -> RateCard:
    """The common models of a card of litellm's whole map. Raises LookupError for one that is not there any more."""
    found = {(entry.provider, entry.model): entry for entry in whole.entries}
    chosen: list[Entry] = []
    for provider, names in MODELS.items():
        for name in names.split():
            entry = found.get((provider, name))
            if entry is None:
                raise LookupError(f"litellm's map has no {provider} {name}, or none that can be imported")
            chosen.append(replace(entry, model=name + DATED))
            chosen += _dated_otherwise(entry, whole)
    aliases = [
        Alias(other, entry.model.removesuffix(DATED), provider, entry.model)
        for other, provider in OTHER_PROVIDERS.items()
        for entry in chosen
        if entry.provider == provider
    ]
    return checked(replace(whole, entries=tuple(chosen), aliases=tuple(aliases)))


def _dated_otherwise(entry: Entry, whole: RateCard) -> Iterator[Entry]:
    """Dated names of the model with prices of their own."""
    for other in whole.entries:
        suffix = other.model.removeprefix(entry.model)
        if (
            other.provider == entry.provider
            and suffix != other.model
            and _DATED.fullmatch(suffix)
            and other.columns != entry.columns
        ):
            yield other


def main() -> None:
    """Writes the card's file, which `billing_service.rate_cards` reads."""
    price_map, version = installed_litellm()
    report = import_litellm(
        price_map,
        library_version=version,
        card_version=f"built-in-{DAY}",
        effective_time_us=moment_us("2026-01-01T00:00:00Z"),
        year=int(DAY[:4]),
    )
    card = built_in_card(report.card)
    TARGET.write_text(card_text(card), encoding="utf-8")
    sys.stdout.write(
        f"{TARGET.name}: {len(card.entries)} entries, {len(card.aliases)} aliases, from litellm {version}\n"
    )


if __name__ == "__main__":
    main()
