import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.with_name("crash"))]

from fake_service import running_fake_service  # noqa: E402 - found by the path above


@pytest.fixture
def service():
    with running_fake_service() as fake:
        yield fake
