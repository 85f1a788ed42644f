"""Installing says what it does in a line, takes locked files alone, and knows when there is no network."""

import fcntl
import hashlib
import http.server
import os
import shutil
import subprocess
import sys
import threading
import zipfile

import pytest

from supply_chain import install as installing
from supply_chain.install import NoNetworkError, require_network
from supply_chain.locked import ROOT

CLOSED_PORT = "http://127.0.0.1:9/simple"
"""Of the discard protocol, which nothing here speaks."""
VERSION = ".".join(map(str, sys.version_info[:2]))


@pytest.fixture
def lock(tmp_path, monkeypatch):
    """A lock of one package, a wheel in a folder that pip looks into instead of an index."""
    wheel = tmp_path / "wheels" / "spam_and_eggs-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("spam_and_eggs.py", "")
        packed.writestr(
            "spam_and_eggs-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: spam-and-eggs\nVersion: 1.0\n"
        )
        packed.writestr(
            "spam_and_eggs-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        packed.writestr("spam_and_eggs-1.0.dist-info/RECORD", "")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    path = tmp_path / "constraints.txt"
    path.write_text(
        f"# Locked on 2026-11-28\n# To download: 7 MB\nspam-and-eggs==1.0 "
        f"--hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
    )
    return path


def install(environment, lock):
    return subprocess.run(
        [sys.executable, "-m", "supply_chain.install", environment, lock],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def has_package(environment):
    return (
        subprocess.run(
            [environment / "bin" / "python", "-c", "import spam_and_eggs"], check=False, capture_output=True
        ).returncode
        == 0
    )


def test_it_installs_what_is_locked_once_and_says_so(tmp_path, lock):
    environment = tmp_path / "environment"
    first = install(environment, lock)
    assert (first.returncode, first.stdout) == (
        0,
        f"installing 1 packages, 7 MB, into {environment}, for Python {VERSION}\n",
    )
    assert has_package(environment)
    again = install(environment, lock)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_a_file_of_another_hash_is_not_installed(tmp_path, lock):
    environment = tmp_path / "environment"
    lock.write_text(lock.read_text()[:-9] + "0" * 8 + "\n")
    run = install(environment, lock)
    assert run.returncode == 1
    assert "HASHES" in run.stderr
    assert not has_package(environment)
    assert not (environment / ".installed").exists(), "an installation that failed is begun again"


def test_an_environment_whose_python_is_gone_is_made_anew(tmp_path, lock):
    environment = tmp_path / "environment"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(tmp_path / "removed")
    (environment / ".installed").touch()
    assert install(environment, lock).returncode == 0
    assert has_package(environment)


def test_without_a_network_it_says_so_in_one_line_at_once(tmp_path, lock, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", CLOSED_PORT)
    run = install(tmp_path / "environment", lock)
    assert run.returncode == 1
    assert (
        run.stderr
        == "no network: nobody answers at 127.0.0.1, where packages come from; PIP_INDEX_URL names another index\n"
    )
    assert not (tmp_path / "environment").exists()


def test_a_python_without_pip_asks_that_of_the_environment(tmp_path, lock, monkeypatch):
    """As Debian's: it makes environments with pip in them, and has none itself."""
    monkeypatch.setattr(installing, "find_spec", lambda _: None)
    installing.install(tmp_path / "environment", lock)
    assert has_package(tmp_path / "environment")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", CLOSED_PORT)
    with pytest.raises(NoNetworkError):
        installing.install(tmp_path / "other", lock)


def test_one_that_is_interrupted_says_so(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(installing, "install", interrupted)
    assert installing.main(["environment", "constraints.txt"]) == 1
    assert capsys.readouterr().err == "\nstopped; the next `make` begins again\n"


def test_a_proxy_that_does_not_answer_is_named(lock, monkeypatch):  # noqa: ARG001 - pip's environment
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example/simple")
    monkeypatch.setenv("https_proxy", "http://user:canary@127.0.0.1:9")
    with pytest.raises(NoNetworkError, match=r"packages\.example \(through the proxy 127\.0\.0\.1\)") as caught:
        require_network(sys.executable)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 403, 404, 503])
def test_an_index_that_answers_anything_is_a_network(lock, monkeypatch, status):  # noqa: ARG001 - pip's environment
    class Answering(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        require_network(sys.executable)
        server.shutdown()


@pytest.mark.parametrize(
    ("name", "value"), [("PIP_NO_INDEX", "1"), ("PIP_PROXY", "http://127.0.0.1:9"), ("PIP_INDEX_URL", "file:///simple")]
)
# Pip's environment.
def test_what_pip_finds_in_its_own_way_is_left_to_pip(lock, monkeypatch, name, value):  # noqa: ARG001
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", CLOSED_PORT)
    monkeypatch.setenv(name, value)
    require_network(sys.executable)


def test_a_second_installation_waits_for_the_first(tmp_path, lock, monkeypatch):
    environment, done = tmp_path / "environment", []
    monkeypatch.setattr(installing, "install", lambda *_, **__: done.append(1))
    (ROOT / "build").mkdir(exist_ok=True)
    path = ROOT / "build" / "installing-environment.lock"
    with path.open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = threading.Thread(target=installing.main, args=([str(environment), str(lock)],))
        said = threading.Event()
        monkeypatch.setattr(installing, "_say", lambda _: said.set())
        second.start()
        assert said.wait(60)
        assert done == []
    second.join(60)
    assert done == [1]
    path.unlink()


@pytest.fixture
def makefile(tmp_path):
    """A folder with our Makefile and no Python but those that a test makes; answers what `make` printed."""
    for name in (
        "Makefile",
        "supply_chain/constraints.txt",
        "supply_chain/constraints-run.txt",
        "pyproject.toml",
        "clients/python/pyproject.toml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "make"):
        (programs / name).symlink_to(shutil.which(name))

    def python(name, *, fits=True):
        """Says how it is called; asked whether it fits, as the Makefile asks, it exits with that."""
        path = programs / name
        path.write_text(f'#!{shutil.which("bash")}\n[ "$1" = -c ] && exit {int(not fits)}\necho "{name} $*"\n')
        path.chmod(0o755)

    def run(*arguments):
        return subprocess.run(
            [programs / "make", *arguments],
            cwd=tmp_path,
            env={"PATH": str(programs)},
            capture_output=True,
            text=True,
            check=False,
        )

    run.python = python
    return run


@pytest.mark.parametrize(
    ("there", "broken", "chosen"),
    [
        (["python3.11", "python3.13"], [], "python3.13"),
        (["python3.14", "python3.11"], [], "python3.14"),
        (["python3.14", "python3.12", "python3.11"], ["python3.14"], "python3.12"),
        (["python3"], [], "python3"),
    ],
)
def test_running_takes_the_newest_python_that_works(makefile, there, broken, chosen):
    for name in there:
        makefile.python(name, fits=name not in broken)
    run = makefile(".run/.installed")
    assert run.stdout == f"{chosen} -m supply_chain.install .run supply_chain/constraints-run.txt --editable\n"


def test_developing_stays_on_one_python(makefile):
    makefile.python("python3.11")
    makefile.python("python3.14")
    assert (
        makefile("setup").stdout == "python3.11 -m supply_chain.install .venv supply_chain/constraints.txt --editable\n"
    )


@pytest.mark.parametrize("target", ["setup", ".run/.installed"])
def test_a_python_that_is_named_is_taken(makefile, target):
    makefile.python("python3.14")
    makefile.python("mine")
    assert makefile(target, "PYTHON=mine").stdout.startswith("mine -m supply_chain.install")


@pytest.mark.parametrize("target", ["setup", "run", "demo"])
def test_where_no_python_fits_the_message_says_what_to_name(makefile, target):
    makefile.python("python3.14", fits=False)
    run = makefile(target)
    assert run.returncode == 2
    assert f"PYTHON= names another: make {target} PYTHON=/path/to/python3" in run.stderr
    assert "3.11 to 3.14" in run.stderr
