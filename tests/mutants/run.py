"""Puts each sabotage into a copy of the tree, alone, and runs the tests that must notice. Exits with 1 unless all are
noticed."""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from tests.mutants.sabotage import Sabotage, StaleSabotageError
from tests.mutants.sabotages import SABOTAGES
from tests.support.databases import URL_VARIABLE, PostgresUnavailableError, postgres_databases

ROOT = Path(__file__).parents[2]

UNPACKED = ("postgresql", "prometheus")
"""Under build/: programs of `make test-tools` that tests start."""
COPIES = 2
TEST_TIMEOUT_S = 20
"""An answer that is lost shows as a test that hangs; none of the tests named takes half as long."""
RUN_TIMEOUT_S = 120
CLEAN_TIMEOUT_S = 400
_TESTS_FAILED = 1
"""pytest's exit code when tests ran and some failed; all others mean that something else is wrong."""
_LEFT_BEHIND = "the test left an inconsistent ledger"
_NOTICED = re.compile(rf"^(?:FAILED|ERROR(?=.*{_LEFT_BEHIND})) (?:tests/)?(\S+?::.+?)(?: - |$)", re.MULTILINE)


class Verdict(NamedTuple):
    """How a sabotage ended. Without a killer: why not."""

    sabotage: Sabotage
    killer: str
    problem: str
    seconds: float


class Tree:
    """A copy of the tracked files, as they are now, in which tests run."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self._root = root
        self._number = 0
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, root / name)
        (root / "build").mkdir()
        for name in UNPACKED:
            if (ROOT / "build" / name).is_dir():
                (root / "build" / name).symlink_to(ROOT / "build" / name)
        places = [root, root / "protos", root / "clients" / "python"]
        self._environment = environment | {"PYTHONPATH": os.pathsep.join(map(str, places)), "COLUMNS": "400"}

    def judge(self, sabotage: Sabotage) -> Verdict:
        started = time.monotonic()
        path = self._root / sabotage.path
        kept, status = path.read_bytes(), path.stat()
        self._number += 1
        try:
            path.write_text(sabotage.sabotaged(self._root), encoding="utf-8")
            # Python trusts a compiled module of the same second and size: each version has a second of its own.
            os.utime(path, (status.st_atime, int(status.st_mtime) + self._number))
            killer, problem = _judge(*self.run(sabotage.tests, RUN_TIMEOUT_S, "-x"))
        except StaleSabotageError as stale:
            killer, problem = "", str(stale)
        finally:
            path.write_bytes(kept)
            os.utime(path, (status.st_atime, status.st_mtime))
        return Verdict(sabotage, killer, problem, time.monotonic() - started)

    def run(self, tests: Sequence[str], timeout_s: float, *options: str) -> tuple[int, str]:
        """pytest's exit code and what it printed."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-rfE",
            "--tb=no",
            "-p",
            "no:cacheprovider",
            f"--timeout={TEST_TIMEOUT_S}",
        ]
        named = [f"tests/{test}" for test in tests]
        with subprocess.Popen(
            [*command, *options, *named],
            cwd=self._root,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as running:
            try:
                printed, _ = running.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                return -1, f"the tests took more than {timeout_s} s"
            finally:
                _end_session(running.pid)
        return running.returncode, printed.decode(errors="replace")


def _end_session(leader: int) -> None:
    """Ends whatever the tests started and left: a sabotaged service may not stop when told."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _judge(code: int, printed: str) -> tuple[str, str]:
    noticed = _NOTICED.search(printed)
    if code == _TESTS_FAILED and noticed:
        return noticed[1], ""
    if code == 0:
        was_judged = re.search(r"\b\d+ passed\b", printed)
        return "", "SURVIVED" if was_judged else "not judged: its tests were skipped here (make test-tools)"
    return "", f"pytest ended with {code}: " + " | ".join(printed.strip().splitlines()[-3:])[:300]


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _clean_run(tree: Tree, sabotages: Sequence[Sabotage]) -> bool:
    """Whether all the tests pass on the code as it is: else their failing would prove nothing."""
    tests = sorted({test for sabotage in sabotages for test in sabotage.tests})
    started = time.monotonic()
    code, printed = tree.run(tests, CLEAN_TIMEOUT_S, "-n", str(COPIES), "--dist", "loadfile")
    _say(f"without sabotage: {printed.strip().splitlines()[-1]}, {time.monotonic() - started:.0f} s in all")
    if code:
        _say("\n".join(line for line in printed.splitlines() if line.startswith(("FAILED", "ERROR"))))
    return code == 0


@contextmanager
def _environment() -> Iterator[dict[str, str]]:
    """What a tree's tests run with: a PostgreSQL of their own, once for all sabotages, and compiled modules kept from
    run to run."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", URL_VARIABLE)
    }
    try:
        with postgres_databases() as databases:
            yield environment | {URL_VARIABLE: databases.admin_url}
    except PostgresUnavailableError as reason:
        _say(f"sabotages of PostgreSQL can't be judged: {reason}")
        yield environment


def _print(verdict: Verdict) -> None:
    sabotage = verdict.sabotage
    end = f"killed by {verdict.killer}" if verdict.killer else f"*** {verdict.problem}"
    _say(f"{sabotage.name:<58} {sabotage.promise:<5} {sabotage.path:<58} {verdict.seconds:5.1f} s  {end}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names of sabotages; all without one")
    parser.add_argument("--no-clean-run", action="store_true", help="trust that the tests pass without sabotage")
    given = parser.parse_args()
    chosen = [
        sabotage for sabotage in SABOTAGES if not given.names or any(part in sabotage.name for part in given.names)
    ]
    started = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="billing-mutants-")))
        made = [Tree(folder / str(number), stack.enter_context(_environment())) for number in range(COPIES)]
        clean = given.no_clean_run or _clean_run(made[0], chosen)
        trees: SimpleQueue[Tree] = SimpleQueue()
        for tree in made:
            trees.put(tree)

        def judge(sabotage: Sabotage) -> Verdict:
            tree = trees.get()
            try:
                return tree.judge(sabotage)
            finally:
                trees.put(tree)

        verdicts = []
        with ThreadPoolExecutor(COPIES) as pool:
            for verdict in pool.map(judge, chosen):
                _print(verdict)
                verdicts.append(verdict)
    killed = sum(bool(verdict.killer) for verdict in verdicts)
    _say(f"{time.monotonic() - started:.0f} s in all\n{killed}/{len(chosen)} killed")
    return 0 if clean and killed == len(chosen) > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
