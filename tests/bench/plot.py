"""The picture of a run: how much of the no-op's throughput is left, by calls in flight."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tests.bench import targets

IN_FLIGHT: Final = (1, 16, 64, 256)
COLOURS: Final = {"SQLite": "#0b6e99", "PostgreSQL": "#c2571a"}
MARKS: Final = {
    64: (targets.SHARE_64.good, targets.SHARE_64.goal),
    256: (targets.SHARE_256.good, targets.SHARE_256.goal),
}
GREY: Final = "#555555"

Point = tuple[int, float, float, float]
"""Position on the axis; median, least and greatest share of the no-op over the rounds."""


def points(rounds: Sequence[targets.Round], contestant: str) -> list[Point]:
    """Where a contestant was measured, and no call failed."""
    found = []
    for position, in_flight in enumerate(IN_FLIGHT):
        measure = targets.to_noop(f"deduct {in_flight}", "calls_per_second")
        shares = [share for turn in rounds if (share := measure(turn, contestant)) is not None]
        if shares:
            found.append((position, median(shares), min(shares), max(shares)))
    return found


def draw(rounds: Sequence[targets.Round]) -> Figure:
    figure = Figure(figsize=(8, 4.6), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for store, colour in COLOURS.items():
        _line(axes, points(rounds, store), f"this service, {store}", color=colour, marker="o", linewidth=2)
        naive = points(rounds, targets.NAIVE[store])
        _line(axes, naive, f"naive form, {store}", color=colour, marker="s", linewidth=1, linestyle=":")
    for number, (in_flight, limits) in enumerate(MARKS.items()):
        position = IN_FLIGHT.index(in_flight)
        for name, limit, style in (("good", limits[0], "--"), ("the goal", limits[1], "-")):
            label = name if number == 0 else None
            axes.hlines(
                limit, position - 0.3, position + 0.3, colors=GREY, linestyles=style, linewidth=1.2, label=label
            )
    axes.set_xticks(range(len(IN_FLIGHT)), [str(in_flight) for in_flight in IN_FLIGHT])
    axes.set_xlim(-0.4, len(IN_FLIGHT) - 0.6)
    axes.set_ylim(0, max(1.05, axes.get_ylim()[1]))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel("calls in flight")
    axes.set_ylabel("share of the no-op's calls a second")
    axes.set_title(
        "DeductCredits, durable before the reply, against a handler that does nothing", fontsize=11, loc="left"
    )
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=9)
    caption = f"medians of {len(rounds)} rounds, bars from the slowest to the fastest"
    axes.annotate(caption, (1, -0.16), xycoords="axes fraction", ha="right", fontsize=8, color=GREY)
    return figure


def _line(axes: Axes, found: Sequence[Point], label: str, **style: object) -> None:
    if not found:
        return
    positions, middle, least, greatest = zip(*found, strict=True)
    below = [each - low for each, low in zip(middle, least, strict=True)]
    above = [high - each for each, high in zip(middle, greatest, strict=True)]
    axes.errorbar(positions, middle, yerr=(below, above), capsize=3, markersize=5, elinewidth=1, label=label, **style)


def write(rounds: Sequence[targets.Round], path: Path) -> None:
    FigureCanvasAgg(draw(rounds)).print_png(path)
