#!/usr/bin/env bash
# litellm 1.110.2, its bundled price map: prices that are in the map, and that cost_per_token never bills.
# Behaviour: providers with a calculator of their own read the plain keys alone. A Fireworks model with prices of the
# priority tier costs the standard price in that tier. A Perplexity model with prices above 272,000 tokens costs the
# lower price at 500,000.
# Output seen: "fireworks_ai priority: 0.00132, the map says 0.00165", "perplexity 500000: 2.0, the map says 4.0"
# Lesson: a key in a price list is no proof that the library bills by it. Compare both before you trust either.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "litellm==1.110.2"
LITELLM_LOCAL_MODEL_COST_MAP=True "$folder/venv/bin/python" - <<'PYTHON'
import litellm

litellm.suppress_debug_info = True
CASES = [
    (
        "fireworks_ai",
        "accounts/fireworks/models/deepseek-v4-pro-0813",
        1_000,
        "priority",
        "input_cost_per_token_priority",
        0.00132,
        0.00165,
    ),
    ("perplexity", "openai/gpt-5.6-sol", 500_000, None, "input_cost_per_token_above_272k_tokens", 2.0, 4.0),
]
for provider, model, tokens, tier, key, billed, listed in CASES:
    seen = litellm.cost_per_token(
        model=model, custom_llm_provider=provider, prompt_tokens=tokens, completion_tokens=0, service_tier=tier
    )[0]
    said = tokens * litellm.model_cost[f"{provider}/{model}"][key]
    print(f"{provider} {tier or tokens}: {round(seen, 12)}, the map says {round(said, 12)}")
    assert abs(seen - billed) < 1e-12, (model, seen)
    assert abs(said - listed) < 1e-12, (model, said)
PYTHON
