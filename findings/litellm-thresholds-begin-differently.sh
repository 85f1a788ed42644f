#!/usr/bin/env bash
# litellm 1.110.2, its bundled price map: a prompt of exactly 200,000 tokens, where the map has the key
# input_cost_per_token_above_200k_tokens.
# Behaviour: for Gemini the price above 200k begins at 200,001 tokens, as the key says. For xAI the same key begins at
# 200,000. The map says nothing of the difference: it is in the code, by the provider's name.
# Output seen: "gemini/gemini-2.5-pro: 0.25 at 200000, 0.5000025 at 200001", "xai/grok-4.3: 0.5 at 200000, 0.5000025 at
# 200001"
# Lesson: a price map is not the whole price list. Whoever reads it without the library's code bills one prompt at half
# or at twice the price.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "litellm==1.110.2"
LITELLM_LOCAL_MODEL_COST_MAP=True "$folder/venv/bin/python" - <<'PYTHON'
import litellm

litellm.suppress_debug_info = True


def cost(provider, model, tokens):
    found = litellm.cost_per_token(
        model=model, custom_llm_provider=provider, prompt_tokens=tokens, completion_tokens=0
    )
    return found[0]


expected = {("gemini", "gemini-2.5-pro"): (0.25, 0.5000025), ("xai", "grok-4.3"): (0.5, 0.5000025)}
for (provider, model), told in expected.items():
    entry = litellm.model_cost[f"{provider}/{model}"]
    assert entry["input_cost_per_token"] == 1.25e-06, entry
    assert entry["input_cost_per_token_above_200k_tokens"] == 2.5e-06, entry
    seen = tuple(cost(provider, model, tokens) for tokens in (200_000, 200_001))
    print(f"{provider}/{model}: {seen[0]} at 200000, {seen[1]} at 200001")
    assert all(abs(one - other) < 1e-12 for one, other in zip(seen, told, strict=True)), (model, seen, told)
PYTHON
