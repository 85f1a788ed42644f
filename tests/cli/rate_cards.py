"""The price map that tests make card files of, and the answer of a command in JSON."""

import json
from pathlib import Path

SAMPLE = Path(__file__).parents[1] / "rate_import" / "litellm_sample.json"


def told(result):
    return json.loads(result.stdout)
