"""Asks for known issues of what is locked. An answer counts only from a source that knows an issue which everybody
knows: a mirror without advisories answers like one that has nothing to report."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from enum import IntEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from supply_chain.locked import Release, all_releases
from supply_chain.waivers import Waiver, read_waivers

SOURCES = ("pypi", "osv")
"""As pip-audit calls them."""
KNOWN_TO_ALL = "jinja2==2.10"
"""Has had advisories since 2019; it is asked about and never installed."""
PATIENCE_S = 15

Ask = Callable[[str, Iterable[str]], "list[Answer] | None"]
Say = Callable[[str], None]


class Outcome(IntEnum):
    """Exit codes."""

    CLEAN = 0
    VULNERABLE = 1
    COULD_NOT_LOOK = 3


class Issue(NamedTuple):
    """One known issue."""

    names: tuple[str, ...]
    """Its id first."""
    fixed_in: tuple[str, ...]


class Answer(NamedTuple):
    """What a source says of one package."""

    package: str
    version: str
    issues: tuple[Issue, ...]
    is_known: bool
    """Whether the source knows the package at all."""


def audit(today: date, say: Say, ask: Ask | None = None, directory: Path | None = None) -> Outcome:
    """Says what is known of all locked releases."""
    asking = ask or ask_pip_audit
    waivers = read_waivers()
    releases = all_releases(*([directory] if directory else []))
    source = next((name for name in SOURCES if _is_trustworthy(asking(name, [KNOWN_TO_ALL]))), None)
    if source is None:
        say(
            f"NOT AUDITED: no source of known issues answers here (asked {', '.join(SOURCES)} for {KNOWN_TO_ALL}, "
            f"which has some)"
        )
        return Outcome.COULD_NOT_LOOK
    answers = asking(source, [f"{release.name}=={release.version}" for release in releases])
    if answers is None:
        say(f"NOT AUDITED: {source} stopped answering")
        return Outcome.COULD_NOT_LOOK
    return _judge(releases, answers, waivers, today, say)


def _is_trustworthy(answers: "list[Answer] | None") -> bool:
    return bool(answers) and all(answer.is_known and answer.issues for answer in answers or [])


def _judge(
    releases: Sequence[Release], answers: Sequence[Answer], waivers: Sequence[Waiver], today: date, say: Say
) -> Outcome:
    used: set[Waiver] = set()
    open_issues = 0
    for answer in answers:
        for issue in answer.issues:
            waiving = [waiver for waiver in waivers if waiver.waives(answer.package, set(issue.names), today)]
            used.update(waiving)
            if not waiving:
                open_issues += 1
                fixed = f", fixed in {', '.join(issue.fixed_in)}" if issue.fixed_in else ", not fixed yet"
                say(f"VULNERABLE: {answer.package} {answer.version}: {' '.join(issue.names)}{fixed}")
    expired = [waiver for waiver in waivers if waiver.until < today]
    for waiver in expired:
        say(
            f"EXPIRED: the waiver of {waiver.issue} in {waiver.package} counted until {waiver.until}: renew it or "
            f"take it out"
        )
    for waiver in set(waivers) - used - set(expired):
        say(f"the waiver of {waiver.issue} in {waiver.package} is not needed now")
    heard_of = {(answer.package, answer.version) for answer in answers if answer.is_known}
    unheard = [release.name for release in releases if (release.name, release.version) not in heard_of]
    if open_issues or expired:
        return Outcome.VULNERABLE
    if unheard:
        say(
            f"NOT AUDITED: {len(unheard)} of {len(releases)} releases, of which the source knows nothing: "
            f"{', '.join(unheard)}"
        )
        return Outcome.COULD_NOT_LOOK
    say(f"CLEAN: no known issue of {len(releases)} releases that is not waived; {len(used)} waived")
    return Outcome.CLEAN


def ask_pip_audit(source: str, requirements: Iterable[str]) -> list[Answer] | None:
    """What pip-audit finds out; None when it can't."""
    with TemporaryDirectory(prefix="audit-") as directory:
        asked = Path(directory) / "asked.txt"
        asked.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pip_audit",
            "--vulnerability-service",
            source,
            "--requirement",
            str(asked),
            "--disable-pip",
        ]
        command += [
            "--no-deps",
            "--aliases",
            "on",
            "--format",
            "json",
            "--progress-spinner",
            "off",
            "--timeout",
            str(PATIENCE_S),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    try:
        return [_answer(found) for found in json.loads(done.stdout)["dependencies"]]
    except (ValueError, KeyError, TypeError):
        return None


def _answer(found: dict[str, Any]) -> Answer:
    issues = tuple(
        Issue((issue["id"], *issue.get("aliases", ())), tuple(issue["fix_versions"]))
        for issue in found.get("vulns", ())
    )
    return Answer(found["name"], found.get("version", ""), issues, "vulns" in found)
