"""`python -m supply_chain.install ENVIRONMENT LOCK [--editable]`: an environment with what a lock lists, by hash, and
nothing else.

Run by the Python that the environment is to have, with no package but the standard library. Exit codes: 0 installed or
up to date, 1 not. An installation that is cut off is begun again by the next.
"""

import errno
import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, getproxies, urlopen

from supply_chain.locked import PROJECTS, ROOT, read_lock

USAGE = 2
PATIENCE_S = 10.0
"""For the index to answer at all, before pip asks it for each package, five times over."""
UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH})
STAMP = ".installed"
PIP = ("-m", "pip", "--disable-pip-version-check")


class NoNetworkError(Exception):
    """Nobody answers where packages come from. The message names the host."""


def main(arguments: list[str]) -> int:
    editable = "--editable" in arguments
    match [argument for argument in arguments if argument != "--editable"]:
        case [environment, lock]:
            pass
        case _:
            sys.stderr.write(f"{__doc__}\n")
            return USAGE
    try:
        with _alone(environment):
            install(ROOT / environment, ROOT / lock, editable=editable)
    except NoNetworkError as silent:
        sys.stderr.write(f"{silent}\n")
        return 1
    except subprocess.CalledProcessError:
        return 1  # venv or pip has said why
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; the next `make` begins again\n")
        return 1
    return 0


def install(environment: Path, lock: Path, *, editable: bool = False) -> None:
    """Makes `environment` fit `lock`; with `editable`, the distributions of this repository are installed there too.

    Raises NoNetworkError, and CalledProcessError once pip has said what is wrong.
    """
    stamp, python = environment / STAMP, environment / "bin" / "python"
    sources = [lock, *(project / "pyproject.toml" for project in PROJECTS)] if editable else [lock]
    fits = _is_ours(python)
    if fits and stamp.exists() and stamp.stat().st_mtime >= max(source.stat().st_mtime for source in sources):
        return
    stamp.unlink(missing_ok=True)
    locked = read_lock(lock)
    size = f", {locked.download_mb} MB" if locked.download_mb else ""
    version = ".".join(map(str, sys.version_info[:2]))
    _say(f"installing {len(locked.releases)} packages{size}, into {_shown(environment)}, for Python {version}")
    # Debian's Python makes environments with pip in them and has none itself.
    has_pip = find_spec("pip") is not None
    if has_pip:
        require_network(sys.executable)
    if not fits:
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)  # noqa: S603 - our own words
    if not has_pip:
        require_network(python)
    quiet = () if sys.stdout.isatty() else ("--quiet",)
    # Python compiles what is imported, when it is: a quarter of the wait was for what never is.
    _pip(python, *quiet, "--no-compile", "--require-hashes", "-r", lock)
    if editable:
        editables = [word for project in PROJECTS for word in ("-e", project)]
        _pip(python, "--quiet", "--no-build-isolation", "--no-deps", *editables)
    stamp.touch()


def require_network(python: Path | str) -> None:
    """Raises NoNetworkError when the index of packages can't be reached. What pip finds without one is not asked for.

    `python`: one with pip, whose configuration says which index that is.
    """
    index = _pip_setting(python, "index-url") or _told(
        python, "-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    )
    if (
        _pip_setting(python, "no-index")
        or _pip_setting(python, "proxy")
        or urlsplit(index).scheme not in ("http", "https")
    ):
        return
    host = urlsplit(index).hostname
    try:
        # Http or https, as looked at above.
        with urlopen(Request(index, method="HEAD"), timeout=PATIENCE_S):  # noqa: S310
            pass
    except HTTPError:
        return
    except (URLError, OSError) as failed:
        reason = failed.reason if isinstance(failed, URLError) else failed
        if (
            isinstance(reason, (socket.gaierror, ConnectionError, TimeoutError))
            or getattr(reason, "errno", None) in UNREACHABLE
        ):
            raise NoNetworkError(_no_network(host or index)) from failed


def _no_network(host: str) -> str:
    proxy = urlsplit(getproxies().get("https", "")).hostname
    through = f" (through the proxy {proxy})" if proxy else ""
    return f"no network: nobody answers at {host}{through}, where packages come from; PIP_INDEX_URL names another index"


def _pip_setting(python: Path | str, name: str) -> str:
    """As pip is configured, by environment or file; empty without."""
    return os.environ.get(f"PIP_{name.upper().replace('-', '_')}", "") or _told(
        python, *PIP, "config", "get", f"global.{name}"
    )


def _told(python: Path | str, *arguments: str) -> str:
    """What a Python prints; nothing where it is none, as of one that was removed and left a link to nothing."""
    try:
        # Our own words.
        return subprocess.run([python, *arguments], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    except OSError:
        return ""


def _pip(python: Path, *arguments: str | Path) -> None:
    subprocess.run([python, *PIP, "install", *arguments], cwd=ROOT, check=True)  # noqa: S603 - our own words


def _is_ours(python: Path) -> bool:
    """Whether there is an interpreter of the version that runs this."""
    version = _told(python, "-c", "import sys; print(*sys.version_info[:2])")
    return version.split() == [str(part) for part in sys.version_info[:2]]


@contextmanager
def _alone(environment: str) -> Iterator[None]:
    """One installation of an environment at a time: a second one waits, and finds it done."""
    path = ROOT / "build" / f"installing-{Path(environment).name}.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"{environment} is being installed already; waiting for that")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
