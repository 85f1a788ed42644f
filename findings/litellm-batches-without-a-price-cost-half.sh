#!/usr/bin/env bash
# litellm 1.110.2, its bundled price map: the cost of a batch call of a model for which the map has no price of batches.
# Behaviour: it is half of the standard price, without an error or a warning. Nothing in the map says so, nor that the
# provider takes batches of this model at all.
# Output seen: "computer-use-preview: standard 0.003 + 0.012, batch 0.0015 + 0.006, keys of batches: none"
# Lesson: ask whether a price is in the list before asking what it is. A discount that nobody gave is a loss on each
# call.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "litellm==1.110.2"
LITELLM_LOCAL_MODEL_COST_MAP=True "$folder/venv/bin/python" - <<'PYTHON'
import litellm

litellm.suppress_debug_info = True
MODEL = "computer-use-preview"


def cost(call_type):
    found = litellm.cost_per_token(
        model=MODEL, custom_llm_provider="openai", prompt_tokens=1000, completion_tokens=1000, call_type=call_type
    )
    return " + ".join(map(str, found))


keys = [key for key in litellm.model_cost[MODEL] if "batch" in key]
costs = f"standard {cost('completion')}, batch {cost('aretrieve_batch')}"
line = f"{MODEL}: {costs}, keys of batches: {', '.join(keys) or 'none'}"
print(line)
assert line == f"{MODEL}: standard 0.003 + 0.012, batch 0.0015 + 0.006, keys of batches: none", line
PYTHON
