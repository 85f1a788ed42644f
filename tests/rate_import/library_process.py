"""The libraries whose prices are imported, in an interpreter of their own: ours never loads them.

BILLING_TEST_RATES_PYTHON names an interpreter that has litellm 1.110.2 and genai-prices 0.2.3 installed.
"""

import json
import os
import subprocess
from decimal import Decimal
from pathlib import Path

VARIABLE = "BILLING_TEST_RATES_PYTHON"
ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
DUMP = """
import json, sys
from billing_service.rate_import import libraries
found = getattr(libraries, sys.argv[1])()
json.dump(found, sys.stdout, default=lambda number: {"decimal": str(number)})
"""


def interpreter():
    """The path that the variable names; empty without it."""
    return os.environ.get(VARIABLE, "")


def library_data(function, python=""):
    """What that function of `rate_import.libraries` returns there, decimals as they are."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python or interpreter(), "-c", DUMP, function], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(
        done.stdout, object_hook=lambda found: Decimal(found["decimal"]) if set(found) == {"decimal"} else found
    )


def library_costs(script, cases, python=""):
    """What the library says that each case costs, as text: `litellm_costs.py` or `genai_costs.py`."""
    done = subprocess.run(
        [python or interpreter(), HERE / script], input=json.dumps(cases), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)
