"""How much of a long test runs."""

import os

LONG = os.environ.get("BILLING_LONG_TESTS") == "1"
"""Whether hundreds of kills are wanted rather than dozens."""
