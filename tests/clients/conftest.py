import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_service import running_fake_service


@pytest.fixture
def service():
    with running_fake_service() as fake:
        yield fake
