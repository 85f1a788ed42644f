"""What must be reached, and what of it was: figures of one run become rows with "good", "the goal" and a verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

NOOP = "no-op"
SERVICES = ("SQLite", "PostgreSQL")
NAIVE = {store: f"naive on {store}" for store in SERVICES}
MIB = 1024 * 1024
SIZE_UNARY, SIZE_BATCH = "ledger size: deduct 64", "ledger size: batch 8"
LEDGER_TRANSACTIONS = 1_000_000
FULL = {store: f"{store}, full ledger" for store in SERVICES}
EMPTY = {store: f"{store}, empty ledger" for store in SERVICES}
TIGERBEETLE_TO_NOOP = 0.29
"""Recorded, not measured here: TigerBeetle (commit 52ad553) behind a grpc.aio front gave 3,600 to 4,300 calls a second
at 64 in flight, on a machine where the no-op gave 13,600."""

Round = Mapping[str, Mapping[str, Any]]
"""One turn through the plan: measurement → contestant → outcome."""


@dataclass(frozen=True)
class Target:
    """One row. `measure` finds the value of a store in one round, or None where it wasn't measured."""

    name: str
    unit: str
    good: float
    goal: float
    at_most: bool
    measure: Callable[[Round, str], float | None]

    def verdict(self, value: float | None) -> str:
        if value is None:
            return "not measured"
        for mark, limit in (("goal met", self.goal), ("good", self.good)):
            if value <= limit if self.at_most else value >= limit:
                return mark
        return "NOT met"


def _figure(turn: Round, measurement: str, contestant: str, figure: str) -> float | None:
    """None also when calls failed: failing fast is no speed."""
    outcome = turn.get(measurement, {}).get(contestant, {})
    value = outcome.get(figure)
    return None if value is None or outcome.get("failed_total") else float(value)


def _ratio(of: float | None, to: float | None) -> float | None:
    return of / to if of is not None and to else None


def to_noop(measurement: str, figure: str) -> Callable[[Round, str], float | None]:
    """A figure of a contestant as a share of the no-op's in the same round."""
    return lambda turn, store: _ratio(
        _figure(turn, measurement, store, figure), _figure(turn, measurement, NOOP, figure)
    )


def _within(measurement: str, numerator: str, denominator: str) -> Callable[[Round, str], float | None]:
    return lambda turn, store: _ratio(
        _figure(turn, measurement, store, numerator), _figure(turn, measurement, store, denominator)
    )


def _share(measurement: str, plain: str) -> Callable[[Round, str], float | None]:
    """Items a second of one load as a share of those of another, in the same round."""
    return lambda turn, store: _ratio(
        _figure(turn, measurement, store, "items_per_second"), _figure(turn, plain, store, "items_per_second")
    )


def _full_to_empty(measurement: str) -> Callable[[Round, str], float | None]:
    """None too where the full ledger isn't as full as the row says."""

    def measure(turn: Round, store: str) -> float | None:
        transactions = _figure(turn, measurement, FULL[store], "transactions_before")
        if transactions is None or transactions < LEDGER_TRANSACTIONS:
            return None
        rates = [_figure(turn, measurement, name[store], "calls_per_second") for name in (FULL, EMPTY)]
        return _ratio(*rates)

    return measure


def _to_tigerbeetle(turn: Round, store: str) -> float | None:
    return _ratio(to_noop("deduct 64", "calls_per_second")(turn, store), TIGERBEETLE_TO_NOOP)


def _plain(measurement: str, figure: str) -> Callable[[Round, str], float | None]:
    return lambda turn, store: _figure(turn, measurement, store, figure)


SHARE_64 = Target(
    "DeductCredits, 64 in flight, to the no-op", "%", 0.60, 0.80, False, to_noop("deduct 64", "calls_per_second")
)
SHARE_256 = Target(
    "DeductCredits, 256 in flight, to the no-op", "%", 0.70, 1.00, False, to_noop("deduct 256", "calls_per_second")
)
TARGETS = (
    SHARE_64,
    SHARE_256,
    Target("p99 at 64 in flight, to the no-op's", "x", 3, 1.8, True, to_noop("deduct 64", "p99_ms")),
    Target("p50 at 1 in flight, to the no-op's", "x", 3, 2, True, to_noop("deduct 1", "p50_ms")),
    Target(
        "one hot account to 10,000 accounts, 64 in flight", "%", 0.90, 1.00, False, _share("deduct hot 64", "deduct 64")
    ),
    Target(
        "BatchDeductCredits of 100, items a second to calls a second at 64 in flight",
        "x",
        3,
        8,
        False,
        _share("batch 8", "deduct 64"),
    ),
    Target(
        "a usage of three lines to an amount, unary, 64 in flight",
        "%",
        0.90,
        1.00,
        False,
        _share("priced 64", "deduct 64"),
    ),
    Target(
        "a usage of three lines to an amount, batches of 100",
        "%",
        0.70,
        0.90,
        False,
        _share("priced batch 8", "batch 8"),
    ),
    Target(
        "holds with their captures, pairs a second to deductions a second at 64 in flight",
        "%",
        0.45,
        0.50,
        False,
        _share("hold and capture 64", "deduct 64"),
    ),
    Target("four spend limits to none, unary, 64 in flight", "%", 0.77, 0.90, False, _share("limited 64", "deduct 64")),
    Target(
        "StreamDeductions, 8 x 64, to the no-op stream",
        "%",
        0.35,
        0.60,
        False,
        to_noop("stream 8 x 64", "calls_per_second"),
    ),
    Target(
        "ticks of sessions to StreamDeductions, 8 x 64",
        "%",
        0.80,
        1.00,
        False,
        _share("ticks 8 x 64", "stream 8 x 64"),
    ),
    Target(
        "STOP after the tick that passes the end of the credit, p99, 64 sessions",
        "ms",
        50,
        10,
        True,
        _plain("stop 64", "p99_ms"),
    ),
    Target(
        f"to the same service over TigerBeetle behind gRPC, 64 in flight (recorded, not measured here: "
        f"{TIGERBEETLE_TO_NOOP:.0%} of the no-op)",
        "x",
        1.5,
        2.5,
        False,
        _to_tigerbeetle,
    ),
    Target(
        "a ledger of 1,000,000 transactions to an empty one, unary, 64 in flight",
        "%",
        0.80,
        0.95,
        False,
        _full_to_empty(SIZE_UNARY),
    ),
    Target(
        "a ledger of 1,000,000 transactions to an empty one, batches of 100",
        "%",
        0.80,
        0.95,
        False,
        _full_to_empty(SIZE_BATCH),
    ),
    Target("GetBalance, 64 in flight, to its no-op", "%", 0.60, 0.80, False, to_noop("balance 64", "calls_per_second")),
    Target(
        "synced commits per deduction, 64 in flight",
        "1/",
        1 / 20,
        1 / 40,
        True,
        _within("deduct 64", "commits", "operations"),
    ),
    Target("SQL statements per batch, 64 in flight", "", 10, 6, True, _within("deduct 64", "statements", "commits")),
    Target("memory at rest", "MiB", 150 * MIB, 100 * MIB, True, _plain("rest", "resident_bytes")),
    Target("memory under 256 callers", "MiB", 250 * MIB, 150 * MIB, True, _plain("deduct 256", "resident_bytes_max")),
    Target("start to serving, migrated database", "s", 2, 1, True, _plain("start", "start_s")),
)


def show(value: float | None, unit: str) -> str:
    """A value in its row's unit: shares as per cent, small fractions as 1/n, bytes as MiB."""
    if value is None:
        return "—"
    if unit == "%":
        return f"{value:.0%}"
    if unit == "1/":
        return f"1/{1 / value:.0f}" if value else "0"
    if unit == "MiB":
        return f"{value / MIB:.0f} MiB"
    return f"{value:.3g} {unit}".strip()


def assess(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """A row for each target and store: the median over the rounds, each compared with the no-op of its own round."""
    rows = []
    for target in TARGETS:
        for store in SERVICES:
            values = [value for turn in rounds if (value := target.measure(turn, store)) is not None]
            value = median(values) if values else None
            row = {"measure": target.name, "store": store, "value": value, "shown": show(value, target.unit)}
            limits = {"good": show(target.good, target.unit), "goal": show(target.goal, target.unit)}
            rows.append({**row, **limits, "verdict": target.verdict(value)})
    return rows


def figures(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """A row for each load and contestant: medians over the rounds, the worst maximum, all failures."""
    rows = []
    for measurement in dict.fromkeys(name for turn in rounds for name in turn):
        for contestant in dict.fromkeys(name for turn in rounds for name in turn.get(measurement, {})):
            outcomes = [turn[measurement][contestant] for turn in rounds if contestant in turn.get(measurement, {})]
            if "calls_per_second" not in outcomes[0]:
                continue
            row: dict[str, Any] = {
                "load": measurement,
                "contestant": contestant,
                "failed": sum(each["failed_total"] for each in outcomes),
            }
            for figure in ("calls_per_second", "p50_ms", "p99_ms", "generator_cpu_share"):
                known = [each[figure] for each in outcomes if each[figure] is not None]
                row[figure] = median(known) if known else None
            rates = [each["calls_per_second"] for each in outcomes]
            row["calls_per_second_range"] = [min(rates), max(rates)]
            row["max_ms"] = max((each["max_ms"] for each in outcomes if each["max_ms"] is not None), default=None)
            rows.append(row)
    return rows


def markdown(rounds: Sequence[Round], machine: Mapping[str, Any], *more: str) -> str:
    """All tables, `more` between ours, and the machine that they are true of."""
    lines = ["# Speed, as ratios within one run", ""]
    lines += ["| measure | store | value | good | the goal | verdict |", "|---|---|---|---|---|---|"]
    for row in assess(rounds):
        lines.append(
            f"| {row['measure']} | {row['store']} | {row['shown']} | {row['good']} | {row['goal']} | {row['verdict']} |"
        )
    for table in more:
        lines += ["", table.rstrip("\n")]
    lines += [
        "",
        "| load | server | calls/s | slowest to fastest round | p50 ms | p99 ms | max ms | failed | generator's CPU |",
    ]
    lines += ["|---|---|---|---|---|---|---|---|---|"]
    for row in figures(rounds):
        milliseconds = " | ".join(
            "—" if row[name] is None else f"{row[name]:.2f}" for name in ("p50_ms", "p99_ms", "max_ms")
        )
        slowest, fastest = row["calls_per_second_range"]
        rate, cpu = (
            f"{row['calls_per_second']:,.0f} | {slowest:,.0f} to {fastest:,.0f}",
            f"{row['generator_cpu_share']:.0%}",
        )
        lines.append(f"| {row['load']} | {row['contestant']} | {rate} | {milliseconds} | {row['failed']} | {cpu} |")
    lines += [
        "",
        f"Medians of {len(rounds)} rounds. " + ", ".join(f"{name}: {value}" for name, value in machine.items()) + ".",
    ]
    return "\n".join(lines) + "\n"
