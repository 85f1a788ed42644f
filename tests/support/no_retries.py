"""The Python client without its own retries: a test of a failure need not wait until it was seen four times."""

from contextlib import contextmanager
from unittest.mock import patch

from billing_client import retries


@contextmanager
def no_retries():
    with patch.object(retries, "ATTEMPTS_MAX", 1):
        yield
