import pytest

from tests.support.client_journal import Journal
from tests.support.service_process import running_forker
from tests.upgrade.newer_program import NewerProgram


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
