"""The audit tells clean, vulnerable and could not look apart, and never calls clean what nobody looked at."""

from datetime import UTC, date, datetime, timedelta

import pytest

from supply_chain import audit as auditing
from supply_chain import waivers as waiving
from supply_chain.audit import KNOWN_TO_ALL, Answer, Issue, Outcome, audit
from supply_chain.cooldown import check_ages
from supply_chain.locked import LOCKS
from supply_chain.waivers import WaiverInvalidError, read_waivers

TODAY = date(2026, 11, 28)
ISSUE = Issue(("PYSEC-1", "GHSA-1"), ("2.0",))
WAIVER = '[[waiver]]\nissue = "GHSA-1"\npackage = "B_b"\nsince = {since}\nuntil = {until}\nreason = "not reached"\n'


@pytest.fixture
def locks(tmp_path):
    """Three locks; a and b-b are locked, of files 1 and 2."""
    for number, name in enumerate(LOCKS):
        releases = (
            "a==1.0 --hash=sha256:" + "1" * 64 + "\n" + ("b_b==1.5 --hash=sha256:" + "2" * 64 + "\n") * bool(number)
        )
        (tmp_path / name).write_text(f"# Locked on {TODAY}\n{releases}")
    return tmp_path


@pytest.fixture
def waived(tmp_path, monkeypatch):
    def write(since=TODAY, until=TODAY + timedelta(days=30)):
        path = tmp_path / "waivers.toml"
        path.write_text(WAIVER.format(since=since, until=until))
        monkeypatch.setattr(auditing, "read_waivers", lambda: read_waivers(path))

    return write


def source(issues=(), *, knows_all=True, control=True, heard=("a", "b-b")):
    """A source of known issues: what it says of b-b, whether it answers at all, knows the control, and of which
    packages it heard."""

    def ask(_name, requirements):
        asked = [requirement.split("==") for requirement in requirements]
        if not knows_all:
            return None
        if asked == [KNOWN_TO_ALL.split("==")]:
            return [Answer("jinja2", "2.10", (ISSUE,) * control, is_known=control)]
        return [
            Answer(name, version, tuple(issues) if name == "b-b" else (), is_known=name in heard)
            for name, version in asked
        ]

    return ask


def outcome(locks, asked):
    said = []
    return audit(TODAY, said.append, asked, locks), "\n".join(said)


def test_clean(locks):
    assert outcome(locks, source()) == (
        Outcome.CLEAN,
        "CLEAN: no known issue of 2 releases that is not waived; 0 waived",
    )


def test_vulnerable(locks):
    code, said = outcome(locks, source([ISSUE]))
    assert code == Outcome.VULNERABLE
    assert "VULNERABLE: b-b 1.5: PYSEC-1 GHSA-1, fixed in 2.0" in said


@pytest.mark.parametrize("silent", [{"knows_all": False}, {"control": False}, {"heard": ("a",)}, {"heard": ()}])
def test_what_nobody_looked_at_is_never_clean(locks, silent):
    """Also of a mirror that answers without advisories, as the control shows, or that does not know some of the
    packages."""
    code, said = outcome(locks, source(**silent))
    assert code == Outcome.COULD_NOT_LOOK
    assert "NOT AUDITED" in said
    assert "CLEAN" not in said


def test_the_second_source_is_asked_where_the_first_knows_nothing(locks):
    answering, silent = source([ISSUE]), source(control=False)
    code, _ = outcome(locks, lambda name, asked: (silent if name == "pypi" else answering)(name, asked))
    assert code == Outcome.VULNERABLE


def test_an_issue_of_one_that_is_known_counts_though_others_are_not(locks):
    assert outcome(locks, source([ISSUE], heard=("b-b",)))[0] == Outcome.VULNERABLE


def test_a_waiver_counts_from_its_day_to_its_day(locks, waived):
    for days_ago, outcomes in (
        (0, Outcome.CLEAN),
        (30, Outcome.CLEAN),
        (31, Outcome.VULNERABLE),
        (-1, Outcome.VULNERABLE),
    ):
        since = TODAY - timedelta(days=days_ago)
        waived(since, since + timedelta(days=30))
        code, said = outcome(locks, source([ISSUE]))
        assert (code, "VULNERABLE: b-b" in said) == (outcomes, outcomes is Outcome.VULNERABLE), days_ago


def test_a_waiver_is_of_one_issue(locks, waived):
    waived()
    assert outcome(locks, source([ISSUE]))[0] == Outcome.CLEAN
    assert outcome(locks, source([ISSUE, Issue(("GHSA-2",), ())]))[0] == Outcome.VULNERABLE
    code, said = outcome(locks, source())
    assert code == Outcome.CLEAN
    assert "not needed now" in said


def test_an_expired_waiver_is_a_finding_of_its_own(locks, waived):
    waived(TODAY - timedelta(days=60), TODAY - timedelta(days=1))
    code, said = outcome(locks, source())
    assert code == Outcome.VULNERABLE
    assert "EXPIRED" in said


@pytest.mark.parametrize(
    "text",
    [
        WAIVER.format(since="2026-01-01", until="2026-12-31"),
        WAIVER.format(since="2026-01-01", until="2026-01-01"),
        WAIVER.format(since="2026-01-01", until='"soon"'),
        WAIVER.format(since="2026-01-01", until="2026-02-01").replace("not reached", ""),
        WAIVER.format(since="2026-01-01", until="2026-02-01") + "severity = 1",
        "[[waver]]",
    ],
)
def test_waivers_that_say_too_little_or_last_too_long(tmp_path, text):
    (tmp_path / "waivers.toml").write_text(text)
    with pytest.raises(WaiverInvalidError):
        read_waivers(tmp_path / "waivers.toml")


def test_the_waivers_are_good():
    assert all(waiver.until > waiver.since for waiver in read_waivers(waiving.WAIVERS))


@pytest.mark.parametrize(
    ("stdout", "expected"),
    [("", None), ("no JSON", None), ('{"dependencies": [{"name": "a", "skip_reason": "?"}]}', False)],
)
def test_what_pip_audit_did_not_find_out(monkeypatch, stdout, expected):
    monkeypatch.setattr(auditing.subprocess, "run", lambda *_, **__: type("Done", (), {"stdout": stdout}))
    answers = auditing.ask_pip_audit("pypi", ["a==1.0"])
    assert (answers and answers[0].is_known) is expected


DAY = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("uploads", "expected", "words"),
    [
        ({"sha256:" + "1" * 64: DAY, "sha256:" + "2" * 64: DAY}, Outcome.CLEAN, "OLD ENOUGH"),
        (
            {"sha256:" + "1" * 64: DAY, "sha256:" + "2" * 64: DAY + timedelta(days=21)},
            Outcome.VULNERABLE,
            "TOO YOUNG: b-b 1.5",
        ),
        ({"sha256:" + "1" * 64: DAY}, Outcome.COULD_NOT_LOOK, "AGE NOT KNOWN: of 1 packages"),
        (None, Outcome.COULD_NOT_LOOK, "AGE NOT KNOWN"),
    ],
)
def test_releases_were_public_for_a_week(locks, uploads, expected, words):
    said = []
    assert check_ages(said.append, lambda _: uploads, locks) == expected
    assert words in said[0]
