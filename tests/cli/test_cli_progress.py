"""What is shown of progress: a bar on a terminal, a line now and then elsewhere, never a figure that nobody
measured."""

import re
import sqlite3
from contextlib import closing

import pytest

from billing_service.cli.progress import LINE_EVERY_S, Lines, counted, shown_progress
from billing_service.storage.migrate import migrate_now
from tests.cli.terminals import in_a_terminal


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (("transactions followed", 12_000, 100_201), "12,000 of 100,201 transactions followed"),
        (("entries searched", 20_000, None), "20,000 entries searched"),
        (("soundness checked", 0, None), "soundness checked …"),
        (("bytes copied", 0, 0), "0 of 0 bytes copied"),
    ],
)
def test_counts_are_as_they_were_measured(told, shown):
    assert counted(*told) == shown
    assert "%" not in shown


def test_a_log_gets_a_line_now_and_then():
    now_s, lines = [100.0], []
    tell = Lines("verify", lines.append, lambda: now_s[0])
    for second in range(26):
        now_s[0] = 100.0 + second
        tell("transactions followed", second * 1_000, 30_000)
    assert lines == [
        "verify: 10,000 of 30,000 transactions followed, 10 s",
        "verify: 20,000 of 30,000 transactions followed, 20 s",
    ]


def test_short_work_says_nothing_in_a_pipe(capsys):
    with shown_progress("verify") as progress:
        progress("transactions followed", 1, 2)
    assert LINE_EVERY_S > 1
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "ledger.db"
    migrate_now(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(
            "INSERT INTO referral_codes VALUES (?, 'acme')", [(f"CODE{n:06}",) for n in range(200_000)]
        )
        connection.commit()
    return {"DATABASE_URL": f"sqlite:///{path}"}


def test_a_terminal_sees_what_is_counted_and_then_nothing_of_it(settings, tmp_path):
    said = in_a_terminal(100, "backup", str(tmp_path / "copy.db"), **settings)
    assert re.search(r"backup: [\d,]+ of [\d,]+ pages copied", said)
    assert re.search(r"backup: [\d,]+ of [\d,]+ bytes checked", said)
    assert "✓ complete" in said
    assert "\x1b[2K" in said, "the bar is taken away"


def test_a_pipe_gets_the_result_alone(billing, settings, tmp_path):
    result = billing("backup", tmp_path / "copy.db", **settings)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "copied" not in result.stdout
    assert (tmp_path / "copy.db").stat().st_size > 1_000_000
