from elva.visualization.tradeoff_figure import draw_tradeoff, pareto_front


def test_the_front_is_what_no_other_point_beats():
    points = [(3.0, 0.5), (1.0, 0.2), (2.0, 0.6), (4.0, 0.6), (5.0, 0.7), (1.0, 0.1)]
    assert pareto_front(points) == [1, 2, 4]
    assert pareto_front([(1.0, 0.5), (1.0, 0.5)]) == [0]


def test_a_figure_of_runs_with_and_without_a_merger(tmp_path):
    def run(merger, ratio, flops, accuracy):
        return dict(
            checkpoint="a", merger=merger, frames="", size="", ratio=str(ratio), n="100",
            flops=str(flops), ttft_ms=str(flops / 2), **{"accuracy/overall": str(accuracy)},
        )  # fmt: skip

    rows = [run("NoMerge", 0, 100, 0.9), run("A", 0.5, 50, 0.8), run("B", 0.5, 60, 0.7)]
    path = draw_tradeoff(rows, tmp_path / "figure.png", "title")
    assert path.stat().st_size > 1000
    assert draw_tradeoff(rows[:1], tmp_path / "one.png").is_file()
