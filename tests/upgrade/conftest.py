import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.with_name("crash")), str(HERE.with_name("end_to_end"))]

from client_journal import Journal  # noqa: E402 - found by the path above
from newer_program import NewerProgram  # noqa: E402 - same
from service_process import running_forker  # noqa: E402 - same


@pytest.fixture(scope="session")
def forker():
    """Starts services of this program."""
    with running_forker() as started:
        yield started


@pytest.fixture(scope="session")
def newer(tmp_path_factory):
    """The program with one migration more."""
    return NewerProgram(tmp_path_factory.mktemp("newer"))


@pytest.fixture(scope="session")
def newer_forker(newer):
    """Starts services of the newer program."""
    with running_forker(PYTHONPATH=newer.python_path) as started:
        yield started


@pytest.fixture
def journal(tmp_path):
    kept = Journal(tmp_path / "journal.txt")
    yield kept
    kept.close()
