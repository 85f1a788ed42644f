#!/usr/bin/env bash
# litellm 1.110.2, its bundled price map: the cost of a model that the map does not know.
# Behaviour: it depends on the name. A name that looks like a coming model of a known family costs 0.0 without an error
# or warning; another unknown name raises ModelNotMappedError. claude-opus-4-1, which was on sale and left the map,
# costs 0.0 too.
# Output seen: "gpt-7-invented: 0.0", "gemini-9-pro: 0.0", "claude-opus-9: 0.0", "claude-opus-4-1: 0.0",
# "gpt-4-invented: ModelNotMappedError"
# Lesson: a cost of 0.0 is not a price. Look a model up in the map itself, and refuse what is not in it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "litellm==1.110.2"
LITELLM_LOCAL_MODEL_COST_MAP=True "$folder/venv/bin/python" - <<'PYTHON'
import litellm

litellm.suppress_debug_info = True


def cost(provider, model):
    try:
        costs = litellm.cost_per_token(
            model=model, custom_llm_provider=provider, prompt_tokens=1000, completion_tokens=500
        )
        return str(sum(costs))
    except Exception as error:
        return type(error).__name__


expected = {
    ("openai", "gpt-7-invented"): "0.0",
    ("gemini", "gemini-9-pro"): "0.0",
    ("anthropic", "claude-opus-9"): "0.0",
    ("anthropic", "claude-opus-4-1"): "0.0",
    ("openai", "gpt-4-invented"): "ModelNotMappedError",
}
for (provider, model), told in expected.items():
    seen = cost(provider, model)
    print(f"{model}: {seen}")
    assert seen == told, (model, seen, told)
    assert f"{provider}/{model}" not in litellm.model_cost
    assert model not in litellm.model_cost
PYTHON
