"""Charts show the numbers that they are given."""

import io

import pytest
from matplotlib.figure import Figure

from elva.visualization.plots import accuracy_bars, loss_curves, standard_error, tokens_per_layer


def texts(figure: Figure) -> list[str]:
    figure.savefig(io.BytesIO(), format="svg")  # lays it out, as a reader will see it
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_stages_stand_one_after_another() -> None:
    one = [{"step": 10.0, "a": 4.0, "b": 1.0}, {"step": 20.0, "a": 2.0, "b": 0.5}]
    two = [{"step": 10.0, "a": 3.0}, {"step": 30.0, "a": 1.0}, {"step": 30.0, "accuracy": 0.5}]
    figure = loss_curves({"stage 1": one, "stage 2": two}, {"a": "generative", "b": "tube"})
    left, right = figure.axes
    assert [list(line.get_xdata()) for line in left.lines if len(line.get_ydata()) and line.get_ydata()[0] > 1] == [
        [10, 20],
        [30, 50],
    ]
    assert [list(line.get_ydata()) for line in left.lines if line.get_xdata()[0] == 30] == [[3.0, 1.0]]
    assert left.get_xlim() == (0, 50)
    assert (left.get_title(), right.get_title()) == ("generative", "tube")
    assert texts(figure).count("not used") == 1


def test_log_ticks_are_plain_numbers() -> None:
    records = [{"step": float(i), "a": 0.05 * i} for i in range(1, 100)]
    figure = loss_curves({"stage 1": records}, {"a": "generative"})
    figure.savefig(io.BytesIO(), format="svg")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels(which="both")]
    assert "0.1" in labels
    assert all("e" not in label and "{" not in label for label in labels)


def test_bars_are_the_accuracies_with_chance_marked_where_it_is_known() -> None:
    accuracy = {"merged": {"colour": 0.9, "shape": 0.5}, "blind": {"colour": 0.2, "shape": 0.3}}
    figure = accuracy_bars(accuracy, {"colour": 1 / 6}, {"colour": 100, "shape": 50})
    ax = figure.axes[0]
    bars = [c for c in ax.containers if hasattr(c, "patches") and c.patches]
    assert [[bar.get_height() for bar in container] for container in bars] == [[0.9, 0.5], [0.2, 0.3]]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["colour\n(n = 100)", "shape\n(n = 50)"]
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert [list(line.get_ydata()) for line in dashed] == [[1 / 6, 1 / 6]]
    assert {"0.90", "0.50", "0.20", "0.30"} <= set(texts(figure))


@pytest.mark.parametrize(("depth", "labelled"), [(4, True), (28, False)])
def test_every_layer_has_a_bar_and_a_few_layers_have_numbers(depth: int, labelled: bool) -> None:
    figure = tokens_per_layer({"merged": [50.0] * depth, "unmerged": [90.4] * depth})
    assert len(figure.axes[0].patches) == 2 * depth
    assert ("90" in texts(figure)) is labelled


def test_standard_error() -> None:
    assert standard_error(0.5, 100) == pytest.approx(0.05)
    assert standard_error(1.0, 7) == 0
