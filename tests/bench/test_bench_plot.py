"""The picture of the bench shows the medians, each as a share of the no-op of its own round."""

import pytest

from tests.bench import plot, targets

PNG = b"\x89PNG\r\n\x1a\n"


def outcome(rate, failed=0):
    return {"calls_per_second": rate, "failed_total": failed}


ROUNDS = [
    {
        f"deduct {in_flight}": {targets.NOOP: outcome(noop), "SQLite": outcome(noop * share)}
        for in_flight in plot.IN_FLIGHT
    }
    for noop, share in ((100, 0.5), (10, 0.7), (1_000, 0.6))
]


def test_a_point_is_the_median_and_the_range_of_the_rounds():
    assert plot.points(ROUNDS, "SQLite") == [(position, *map(pytest.approx, (0.6, 0.5, 0.7))) for position in range(4)]


def test_what_failed_or_was_not_measured_has_no_point():
    turn = {
        "deduct 16": {targets.NOOP: outcome(10), "SQLite": outcome(9, failed=1)},
        "deduct 64": {"SQLite": outcome(9)},
    }
    assert plot.points([turn], "SQLite") == []
    assert plot.points(ROUNDS, targets.NAIVE["SQLite"]) == []


def test_the_picture_shows_each_line_that_has_points_and_both_marks(tmp_path):
    [axes] = plot.draw(ROUNDS).axes
    _, labels = axes.get_legend_handles_labels()
    assert sorted(labels) == ["good", "the goal", "this service, SQLite"]
    [line] = [container.lines[0] for container in axes.containers]
    assert list(line.get_ydata()) == pytest.approx([0.6] * 4)
    heights = sorted(
        segment[0][1]
        for marks in axes.collections
        for segment in marks.get_segments()
        if segment[0][1] == segment[-1][1]
    )
    assert heights == [0.6, 0.7, 0.8, 1.0]
    plot.write(ROUNDS, tmp_path / "speed.png")
    assert (tmp_path / "speed.png").read_bytes().startswith(PNG)
