#!/usr/bin/env bash
# genai-prices 0.2.3: prices of the priority tier, and usage under a wrong name.
# Behaviour: the tier is chosen by price_context={"service_tier": "priority"}. The data calls the variant
# `processing=batch` in other places, and {"processing": "priority"} is taken without a word and gives the standard
# price, half of the right one.
# Output seen: "no context 0.00625, processing 0.00625, service_tier 0.0125"
# Lesson: an attribute that a price list does not price must be refused by whoever asks.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "genai-prices==0.2.3"
"$folder/venv/bin/python" -W error - <<'PYTHON'
from genai_prices import Usage, calc_price


def price(**context):
    usage = Usage(input_tokens=1000, output_tokens=500)
    more = {"price_context": context} if context else {}
    return str(calc_price(usage, model_ref="gpt-5", provider_id="openai", **more).total_price)


line = f"no context {price()}, processing {price(processing='priority')}, service_tier {price(service_tier='priority')}"
print(line)
assert line == "no context 0.00625, processing 0.00625, service_tier 0.0125", line
PYTHON
