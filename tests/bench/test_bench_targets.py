"""The table of the bench says what the figures say."""

from typing import Any

import pytest

from tests.bench import targets


def outcome(calls_per_second: float, p50_ms: float = 1.0, p99_ms: float = 2.0, **more: float) -> dict[str, Any]:
    latencies = {"p50_ms": p50_ms, "p99_ms": p99_ms, "max_ms": p99_ms}
    return {"calls_per_second": calls_per_second, "failed_total": 0, "generator_cpu_share": 0.2, **latencies, **more}


def row(rounds: list[dict[str, Any]], start_of_name: str, store: str = "SQLite") -> dict[str, Any]:
    [found] = [
        row for row in targets.assess(rounds) if row["measure"].startswith(start_of_name) and row["store"] == store
    ]
    return found


@pytest.mark.parametrize(
    "turn",
    [
        {},
        {"deduct 64": {"no-op": outcome(100)}},
        {"deduct 64": {"SQLite": outcome(100)}},
        {"deduct 64": {"no-op": outcome(0), "SQLite": outcome(100)}},
        {"deduct 64": {"no-op": outcome(100), "SQLite": {**outcome(100), "failed_total": 1}}},
        {"deduct 64": {"no-op": outcome(100), "PostgreSQL": outcome(100)}},
    ],
    ids=["nothing", "the no-op alone", "no no-op", "a no-op that did nothing", "failed calls", "the other store"],
)
def test_what_was_not_measured_is_never_met(turn: dict[str, Any]) -> None:
    assert row([turn], "DeductCredits, 64")["verdict"] == "not measured"


@pytest.mark.parametrize(
    ("rate", "verdict"), [(59, "NOT met"), (60, "good"), (79, "good"), (80, "goal met"), (120, "goal met")]
)
def test_a_share_is_met_from_its_limit_up(rate: float, verdict: str) -> None:
    found = row([{"deduct 64": {"no-op": outcome(100), "SQLite": outcome(rate)}}], "DeductCredits, 64")
    assert (found["shown"], found["verdict"]) == (f"{rate}%", verdict)


@pytest.mark.parametrize(("p99_ms", "verdict"), [(31, "NOT met"), (30, "good"), (18.1, "good"), (18, "goal met")])
def test_a_latency_is_met_from_its_limit_down(p99_ms: float, verdict: str) -> None:
    found = row([{"deduct 64": {"no-op": outcome(1, p99_ms=10), "SQLite": outcome(1, p99_ms=p99_ms)}}], "p99")
    assert found["verdict"] == verdict


def test_each_round_is_compared_with_its_own_noop_and_the_median_counts() -> None:
    rounds = [
        {"deduct 64": {"no-op": outcome(noop), "SQLite": outcome(rate)}}
        for noop, rate in ((100, 70), (10, 7), (1_000, 10))
    ]
    assert row(rounds, "DeductCredits, 64")["value"] == pytest.approx(0.7)


def test_the_ledger_s_counters_become_commits_per_deduction_and_statements_per_batch() -> None:
    rounds = [{"deduct 64": {"SQLite": outcome(1, commits=10, operations=300, statements=70)}}]
    assert (row(rounds, "synced commits")["shown"], row(rounds, "synced commits")["verdict"]) == ("1/30", "good")
    assert (row(rounds, "SQL statements")["shown"], row(rounds, "SQL statements")["verdict"]) == ("7", "good")
    assert row(rounds, "synced commits", "PostgreSQL")["verdict"] == "not measured"


@pytest.mark.parametrize(
    ("full", "empty", "transactions", "shown", "verdict"),
    [
        (95, 100, 1_000_000, "95%", "goal met"),
        (80, 100, 1_010_000, "80%", "good"),
        (79, 100, 1_000_000, "79%", "NOT met"),
        (95, 100, 999_999, "—", "not measured"),
        (95, 0, 1_000_000, "—", "not measured"),
    ],
)
def test_a_full_ledger_counts_only_when_it_is_as_full_as_the_row_says(
    full: float, empty: float, transactions: int, shown: str, verdict: str
) -> None:
    both = {
        targets.FULL["SQLite"]: outcome(full, transactions_before=transactions),
        targets.EMPTY["SQLite"]: outcome(empty, transactions_before=0),
    }
    for measurement, name in ((targets.SIZE_UNARY, "unary, 64 in flight"), (targets.SIZE_BATCH, "batches of 100")):
        found = row([{measurement: both}], f"a ledger of 1,000,000 transactions to an empty one, {name}")
        assert (found["shown"], found["verdict"]) == (shown, verdict)


@pytest.mark.parametrize(
    ("rate", "shown", "verdict"), [(43, "1.48 x", "NOT met"), (58, "2 x", "good"), (73, "2.52 x", "goal met")]
)
def test_tigerbeetle_s_share_of_the_noop_is_the_one_on_record_and_the_row_says_so(
    rate: float, shown: str, verdict: str
) -> None:
    found = row(
        [{"deduct 64": {"no-op": outcome(100), "SQLite": outcome(rate)}}], "to the same service over TigerBeetle"
    )
    assert (found["shown"], found["verdict"]) == (shown, verdict)
    assert "recorded, not measured here: 29% of the no-op" in found["measure"]


def test_the_tables_name_every_target_and_count_failures() -> None:
    failing = {**outcome(5), "failed_total": 3}
    text = targets.markdown(
        [{"deduct 64": {"no-op": outcome(10), "SQLite": failing}, "start": {"SQLite": {"start_s": 1.5}}}],
        {"processors": 2},
        "| another | table |\n",
    )
    assert "\n\n| another | table |\n\n| load |" in text
    for target in targets.TARGETS:
        assert text.count(f"| {target.name} |") == 2
    assert "| start to serving, migrated database | SQLite | 1.5 s | 2 s | 1 s | good |" in text
    assert "| deduct 64 | SQLite | 5 | 5 to 5 | 1.00 | 2.00 | 2.00 | 3 | 20% |" in text


@pytest.mark.parametrize(("rate", "verdict"), [(44, "NOT met"), (45, "good"), (49, "good"), (50, "goal met")])
def test_a_load_is_compared_with_another_of_its_own_round(rate: float, verdict: str) -> None:
    turn = {
        "hold and capture 64": {"SQLite": outcome(rate, items_per_second=rate)},
        "deduct 64": {"SQLite": outcome(100, items_per_second=100)},
    }
    found = row([turn], "holds with their captures")
    assert (found["shown"], found["verdict"]) == (f"{rate}%", verdict)
    assert row([turn], "four spend limits")["verdict"] == "not measured"
