import pytest

from tests.security.background import Processes
from tests.support.service_process import running_forker


@pytest.fixture(scope="session")
def forker():
    with running_forker() as started:
        yield started


@pytest.fixture
def processes(tmp_path):
    started = Processes(tmp_path)
    yield started
    started.end()
