import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.with_name("crash"))]

from background import Processes  # noqa: E402 - as the next
from service_process import running_forker  # noqa: E402 - found by the path above


@pytest.fixture(scope="session")
def forker():
    with running_forker() as started:
        yield started


@pytest.fixture
def processes(tmp_path):
    started = Processes(tmp_path)
    yield started
    started.end()
