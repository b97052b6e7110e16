import numpy as np
import pytest

from elva.visualization.dataset_figures import frequent, histograms


def counts(ax) -> list[int]:
    return [int(patch.get_height()) for patch in ax.patches]


def test_every_number_is_in_a_bar():
    random = np.random.default_rng(0)
    values = {"whole": random.integers(3, 900, 1000), "real": random.gamma(2, 10, 500), "one": np.array([7])}
    figure = histograms(values)
    for ax, (title, numbers) in zip(figure.axes, values.items(), strict=False):
        assert ax.get_title() == title
        assert sum(counts(ax)) == len(numbers)
        assert len(ax.patches) <= 41


def test_whole_numbers_have_bars_of_equal_width():
    (ax,) = histograms({"few": np.array([3, 3, 5, 8])}, columns=1).axes
    assert counts(ax) == [2, 0, 1, 0, 0, 1]
    assert [patch.get_x() for patch in ax.patches] == [2.5, 3.5, 4.5, 5.5, 6.5, 7.5]


def test_numbers_that_are_not_there_have_no_panel():
    figure = histograms(
        {"some": np.arange(3), "none": np.array([], int), "equal": np.full(5, 2.0), "more": np.arange(9)}
    )
    assert [(ax.get_title(), ax.axison) for ax in figure.axes] == [
        ("some", True),
        ("equal", True),
        ("more", True),
        ("", False),
    ]
    assert [ax.axison for ax in histograms({}).axes] == [False, False]


def test_lines_are_median_and_95th_percentile():
    (ax,) = histograms({"x": np.arange(101)}, columns=1).axes
    assert [line.get_xdata()[0] for line in ax.lines] == [50, 95]


@pytest.mark.parametrize(("names", "bars"), [(3, 3), (12, 12), (20, 13)])
def test_rare_names_share_a_bar(names, bars):
    given = {f"{name}x{name}": 100 - name for name in range(names)}
    (ax,) = frequent(given).axes
    assert len(ax.patches) == bars
    assert sum(patch.get_width() for patch in ax.patches) == sum(given.values())
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[0] == "0x0" and (labels[-1] == "8 others") is (names == 20)
