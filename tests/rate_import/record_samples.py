"""Makes the sample of the libraries' data and its known costs again: python -m tests.rate_import.record_samples PYTHON

PYTHON has litellm 1.110.2 and genai-prices 0.2.3. The costs are the libraries' own answers, not ours: litellm's floats
as the decimals that they are the nearest floats of, genai-prices' decimals as they are.
"""

import json
import random
import re
import sys
from decimal import Decimal
from fractions import Fraction
from math import ceil
from pathlib import Path

from billing_service.domain.catalogue.usage_kinds import PROMPT_KINDS, Measure, UsageKind
from billing_service.rate_import.genai_names import Names
from billing_service.rate_import.litellm_names import named_by
from billing_service.rate_import.reports import Fate
from tests.rate_import.library_process import library_costs, library_data
from tests.rate_import.price_samples import NOW_S, genai_report, litellm_report

LITELLM_KEYS = [
    "gpt-5",
    "gpt-5-mini",
    "gpt-5-nano",
    "gpt-5.4",
    "gpt-5.6",
    "gpt-6-astra",
    "gpt-6-luna",
    "gpt-4o-mini",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-audio",
    "gpt-image-1-mini",
    "whisper-1",
    "babbage-002",
    "text-embedding-3-small",
    "1024-x-1024/gpt-image-1.5",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "claude-opus-4-5",
    "claude-opus-5-5",
    "claude-haiku-5-5",
    "claude-fable-5-1",
    "gemini/gemini-2.5-pro",
    "gemini/gemini-2.5-flash-lite",
    "gemini-2.5-flash",
    "vertex_ai/gemini-3.5-flash",
    "vertex_ai/claude-haiku-4-5",
    "gemini-3.1-flash-image",
    "xai/grok-4.3",
    "mistral/mistral-large-latest",
    "groq/openai/gpt-oss-120b",
    "deepseek/deepseek-chat",
    "deepseek-chat",
    "deepseek-reasoner",
    "deepseek/deepseek-reasoner",
    "deepseek/deepseek-flash",
    "tencent/deepseek-v4-pro-0813",
    "dashscope/qwen3-coder-flash",
    "dashscope/qwen-plus-latest",
    "dashscope/qwen3.7-max",
    "dashscope/wan3.0-video",
    "dashscope/qwen3-30b-a3b",
    "sail/moonshotai/Kimi-K3",
    "fireworks_ai/accounts/fireworks/models/deepseek-r1",
    "fireworks_ai/accounts/fireworks/models/minimax-m2p7",
    "fireworks-ai-default",
    "perplexity/sonar",
    "perplexity/sonar-deep-research",
    "rerank-v3.5",
    "mistral/mistral-ocr-latest",
    "azure/speech/azure-tts",
    "azure/hd/1024-x-1024/dall-e-3",
    "fal_ai/fal-ai/nano-banana-2",
    "azure/gpt-realtime-whisper",
    "bedrock/*/1-month-commitment/cohere.command-text-v14",
    "bedrock/guardrails",
    "multimodalembedding",
    "exa_ai/search",
    "azure_ai/model_router",
    "bedrock/claude-fable-latest",
    "global.anthropic.claude-fable-5-1",
    "amazon.nova-2-multimodal-embeddings-v1:0",
    "databricks/databricks-bge-large-en",
    "gemini/gemma-3-27b-it",
    "assemblyai/best",
    "minimax/MiniMax-H3",
    "novita/deepseek/deepseek_v3",
    "azure/container",
    "xai/grok-voice-3.0",
    "reducto/parse-legacy",
    "gemini/veo-3.1-generate-preview",
    "openai/sora-2",
]
GENAI_MODELS = {
    "openai": "gpt-5 gpt-5-mini gpt-5-nano gpt-5.4 gpt-5.6 gpt-6-astra gpt-4o-mini gpt-4.1 gpt-4.1-mini gpt-live-1 "
    "gpt-image-1-mini gpt-4o-audio-preview moderation",
    "anthropic": "claude-sonnet-4-5 claude-haiku-4-5 claude-opus-4-1 claude-opus-4-5 claude-fable-5 claude-fable-5-1 "
    "claude-haiku-5-5 claude-opus-5-5",
    "google": "gemini-2.5-pro gemini-2.5-flash gemini-2.5-flash-lite gemini-3.8-live",
    "x-ai": "grok-4.3 grok-voice-latest",
    "mistral": "mistral-large mistral-large-2512 mistral-ocr-4-0",
    "groq": "openai/gpt-oss-120b whisper-large-v3 canopylabs/orpheus-v1-english",
    "deepseek": "deepseek-chat deepseek-flash deepseek-v4-pro",
    "perplexity": "perplexity/sonar sonar sonar-deep-research",
    "openrouter": "google/gemini-2.5-flash mistralai/mistral-large-4-0 deepseek/deepseek-r1:free",
    "aws": "regional.amazon.nova-2-lite-v1:0 global.amazon.nova-2-lite-v1:0 amazon.nova-lite-v1:0",
}
PRICES = re.compile(
    r"cost|price|pricing|multiplier|uplift|dbu|^alias_of$|^litellm_provider$|^mode$|^search_free_requests$|^web_search_billing_unit$|^provider_specific_entry$"
)
CASES = 2
EXACT_DIGITS = 13


def written(path, text):
    (Path(__file__).parent / path).write_text(text, encoding="utf-8")


def lines_of(values):
    """An object with a line for each name."""
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {value}" for name, value in values.items()) + "\n}\n"


def encoded(value):
    """JSON in which decimals are numbers with their own digits."""
    text = json.dumps(value, default=lambda number: f"decimal {number}", ensure_ascii=False)
    return re.sub(r'"decimal ([0-9.E+-]+)"', r"\1", text)


def usages(rng, entry, is_counted):
    """A few usages of each column and prompt tier: (column, lines)."""
    for column in entry.columns:
        levels = [(0, column.prices), *((tier.above_tokens, tier.prices) for tier in column.prompt_tiers)]
        for number, (above, prices) in enumerate(levels):
            upper = levels[number + 1][0] if number + 1 < len(levels) else None
            counted = [measure for measure in prices if is_counted(measure)]
            for _ in range(CASES if not column.service_tier and not column.attributes else 1):
                chosen = rng.sample(counted, min(len(counted), rng.randint(1, 5)))
                lines = {measure: rng.choice([1, 7, 60, 300, 999, 1_000, 12_345]) for measure in chosen}
                prompt = [measure for measure in lines if measure.kind in PROMPT_KINDS]
                if above and prompt:
                    size = rng.choice([above + 1, above + 12_345])
                    lines[prompt[0]] += size - sum(lines[measure] for measure in prompt)
                elif upper and prompt and rng.random() < 1 / 2:
                    lines[prompt[0]] += upper - sum(lines[measure] for measure in prompt)
                if lines and not (above and not prompt):
                    yield column, {measure.word: quantity for measure, quantity in lines.items()}


def moment_s(rng, entry, column):
    """A moment of the week at which the column holds: now, unless the entry has hours."""
    if not any(other.hours for other in entry.columns):
        return NOW_S
    while True:
        time_s = NOW_S + rng.choice([0, rng.randrange(7 * 86_400)])
        inside = any(hours.hold(time_s * 1_000_000) for other in entry.columns for hours in other.hours)
        if inside is bool(column.hours):
            return time_s


def known(library, case, usd):
    cost = Fraction(usd)
    text = f"{Decimal(usd):f}"
    usd = text.rstrip("0").rstrip(".") if "." in text else text
    kept = {
        name: value
        for name, value in case.items()
        if value and name not in {"context", "library_model"} and (name, value) != ("time_s", NOW_S)
    }
    return {
        "library": library,
        **kept,
        "usd": usd,
        "microcredits": ceil(cost * 10**8),
        "microcredits_15": ceil(cost * 10**8 * Fraction(115, 100)),
    }


def litellm_costs(python, price_map):
    rng = random.Random(1)
    report = litellm_report(price_map)
    imported = [
        named_by(key, price_map[key]) for key, outcome in report.outcomes.items() if outcome.fate is Fate.IMPORTED
    ]
    keys = {(named.provider, named.model): named.key for named in imported}
    cases = []
    for entry in report.card.entries:
        key = keys[entry.provider, entry.model]
        seconds = price_map[key].get("mode") == "audio_transcription"
        for column, lines in usages(
            rng,
            entry,
            lambda measure, seconds=seconds: (
                measure.kind <= UsageKind.OUTPUT_IMAGE_TOKENS or (seconds and measure.word == "seconds:in")
            ),
        ):
            if "resolution" in dict(column.attributes) or (
                "tiered_pricing" in price_map[key] and not any("input" in word or "cache" in word for word in lines)
            ):
                continue  # litellm prices a prompt of nothing at nothing
            if "seconds:in" in lines and len(lines) > 1:
                continue
            case = {
                "provider": entry.provider,
                "model": entry.model,
                "service_tier": column.service_tier,
                "attributes": dict(column.attributes),
            }
            written_provider = price_map[key]["litellm_provider"]
            asked = "vertex_ai" if written_provider.startswith("vertex_ai-") else written_provider
            cases.append(case | {"lines": lines, "time_s": moment_s(rng, entry, column), "library_model": (asked, key)})
    asked = [case | {"provider": case["library_model"][0], "model": case["library_model"][1]} for case in cases]
    costs = library_costs("litellm_costs.py", asked, python)
    return [
        known("litellm", case, +Decimal(f"{Decimal(cost):.{EXACT_DIGITS}g}"))
        for case, cost in zip(cases, costs, strict=True)
    ]


def genai_costs(python, data):
    rng = random.Random(2)
    requests = Measure(UsageKind.REQUESTS)
    cases = []
    for entry in genai_report(data["providers"], data["units"]).card.entries:
        for column, lines in usages(rng, entry, lambda measure: measure.word not in {"seconds:out", "requests"}):
            context = dict(column.attributes)
            if column.service_tier:
                context["processing" if column.service_tier == "batch" else "service_tier"] = column.service_tier
            name = entry.model.replace("*", rng.choice(["-20991231", "-2099-12-31"]))
            case = {
                "provider": entry.provider,
                "model": name,
                "service_tier": column.service_tier,
                "attributes": dict(column.attributes),
            }
            more = {"requests": 1} if requests in column.prices else {}  # the library counts one request a call
            time_s = moment_s(rng, entry, column)
            same_day_s = NOW_S // 86_400 * 86_400 + time_s % 86_400
            cases.append(case | {"lines": lines | more, "time_s": same_day_s, "context": context})
    costs = library_costs("genai_costs.py", cases, python)
    return [known("genai-prices", case, cost) for case, cost in zip(cases, costs, strict=True)]


def fail(provider, model):
    raise LookupError(f"{provider} has no {model}")


def main(python):
    price_map, _ = library_data("installed_litellm", python)
    sample = {
        key: {name: value for name, value in price_map[key].items() if PRICES.search(name)} for key in LITELLM_KEYS
    }
    written("litellm_sample.json", lines_of({key: encoded(values) for key, values in sample.items()}))
    providers, units, _ = library_data("installed_genai_prices", python)
    all_models = {provider["id"]: provider["models"] for provider in providers}
    fields = ("id", "match", "prices", "price_variants")
    chosen = []
    for provider, models in GENAI_MODELS.items():
        by_id = {model["id"]: model for model in all_models[provider]}
        found = [
            by_id.get(name) or Names(all_models[provider]).find(name) or fail(provider, name) for name in models.split()
        ]
        chosen.append(
            {"id": provider, "models": [{name: model[name] for name in fields if name in model} for model in found]}
        )
    chosen_text = "[\n" + ",\n".join(encoded(provider) for provider in chosen) + "\n]"
    written("genai_sample.json", lines_of({"units": encoded(units), "providers": chosen_text}))
    costs = [*litellm_costs(python, sample), *genai_costs(python, {"providers": chosen, "units": units})]
    written("known_costs.json", "[\n" + ",\n".join(map(json.dumps, costs)) + "\n]\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
