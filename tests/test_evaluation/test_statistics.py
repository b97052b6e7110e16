import math
import random
import statistics
from itertools import product

import numpy as np
import pytest

from elva.evaluation.statistics import Z95, estimate_difference, estimate_mean, mcnemar, wilson_interval


def _draw(seed: int, n: int = 60, binary: bool = True) -> tuple[list[float], list[str]]:
    draw = random.Random(seed)
    scores = [float(draw.random() < 0.6) if binary else draw.random() for _ in range(n)]
    return scores, [f"video{draw.randrange(12)}" for _ in range(n)]


def _miller(scores: list[float], clusters: list[str]) -> float:
    """The published double sum: s.e. of independent scores, and the covariances within clusters."""
    n, mean = len(scores), sum(scores) / len(scores)
    total = sum((s - mean) ** 2 for s in scores)
    for i, j in product(range(n), range(n)):
        if i != j and clusters[i] == clusters[j]:
            total += (scores[i] - mean) * (scores[j] - mean)
    return math.sqrt(total) / n


@pytest.mark.parametrize("binary", [True, False])
def test_clustered_error_is_the_published_double_sum_times_the_small_sample_factor(binary: bool) -> None:
    scores, clusters = _draw(0, binary=binary)
    count = len(set(clusters))
    found = estimate_mean(scores, clusters)
    assert found.mean == pytest.approx(sum(scores) / len(scores))
    assert found.stderr == pytest.approx(_miller(scores, clusters) * math.sqrt(count / (count - 1)))
    assert (found.n, found.clusters) == (60, count)


def test_without_clusters_it_is_the_usual_error() -> None:
    scores, _ = _draw(1, binary=False)
    assert estimate_mean(scores).stderr == pytest.approx(statistics.stdev(scores) / math.sqrt(len(scores)))
    assert estimate_mean(scores, range(60)) == estimate_mean(scores)


def test_asking_every_question_twice_makes_nothing_surer() -> None:
    scores, clusters = _draw(2)
    once, twice = estimate_mean(scores, clusters), estimate_mean(scores * 2, clusters * 2)
    assert twice.stderr == pytest.approx(once.stderr)
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))
    assert estimate_mean(scores * 2).stderr < 0.8 * estimate_mean(scores).stderr


def test_unclustered_shares_have_wilsons_interval() -> None:
    """Wilson's interval of 15 of 100, from its defining equation: |p - mean| is Z95 standard errors of p."""
    found = estimate_mean([1.0] * 15 + [0.0] * 85)
    assert (found.low, found.high) == pytest.approx(wilson_interval(0.15, 100))
    for p in (found.low, found.high):
        assert abs(p - 0.15) == pytest.approx(Z95 * math.sqrt(p * (1 - p) / 100))
    assert (found.low, found.high) == pytest.approx((0.0931, 0.2328), abs=1e-4)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_right_or_all_wrong_is_not_certain(value: float) -> None:
    found = estimate_mean([value] * 50, [i // 5 for i in range(50)])
    assert found.stderr == 0
    assert (found.low, found.high) == pytest.approx(wilson_interval(value, 10))
    assert 0 <= found.low <= value <= found.high <= 1 and found.high - found.low > 0.2


def test_clusters_that_agree_count_once() -> None:
    right = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    scores = [score for score in right for _ in range(7)]
    found = estimate_mean(scores, [i // 7 for i in range(56)])
    assert (found.low, found.high) == pytest.approx(wilson_interval(5 / 8, 8))


@pytest.mark.parametrize("seed", range(20))
def test_intervals_lie_in_the_unit_interval_around_the_mean(seed: int) -> None:
    draw = random.Random(seed)
    n = draw.randint(2, 30)
    scores = [draw.choice([0.0, 1.0, 1.0, 1.0, draw.random()]) for _ in range(n)]
    found = estimate_mean(scores, [draw.randrange(n) for _ in range(n)])
    assert 0 <= found.low <= found.mean <= found.high <= 1


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Clustered 0/1 scores: each video has a difficulty of its own. Intervals that ignore it miss far too often."""
    draw = np.random.default_rng(0)
    clustered = naive = 0
    for _ in range(400):
        difficulty = draw.beta(1.4, 0.6, size=60).repeat(6)
        scores = (draw.random(360) < difficulty).astype(float)
        found, ignorant = estimate_mean(scores, np.arange(60).repeat(6).tolist()), estimate_mean(scores)
        clustered += found.low <= 0.7 <= found.high
        naive += ignorant.low <= 0.7 <= ignorant.high
    assert 0.92 <= clustered / 400 <= 0.98
    assert naive / 400 < 0.85


def test_one_cluster_tells_nothing_of_others() -> None:
    found = estimate_mean([1.0, 0.0, 1.0], ["v"] * 3)
    assert found.stderr is None and (found.low, found.high) == (0.0, 1.0)
    difference = estimate_difference([1.0, 0.0], [0.0, 0.0], ["v", "v"])
    assert difference.stderr is None and (difference.low, difference.high) == (-1.0, 1.0)


def test_a_difference_is_the_mean_of_differences() -> None:
    one, clusters = _draw(3)
    other = [score if i % 5 else 1 - score for i, score in enumerate(one)]
    found = estimate_difference(one, other, clusters)
    differences = [a - b for a, b in zip(one, other, strict=True)]
    count = len(set(clusters))
    assert found.mean == pytest.approx(sum(differences) / 60)
    assert found.stderr == pytest.approx(_miller(differences, clusters) * math.sqrt(count / (count - 1)))
    assert found.high - found.mean == pytest.approx(Z95 * found.stderr) == pytest.approx(found.mean - found.low)
    swapped = estimate_difference(other, one, clusters)
    assert (swapped.mean, swapped.low) == pytest.approx((-found.mean, -found.high))


def test_pairing_makes_small_differences_visible() -> None:
    one, _ = _draw(4, 400)
    other = [0.0 if i in (1, 50, 99, 150, 200, 222, 301) else score for i, score in enumerate(one)]
    paired = estimate_difference(one, other)
    assert paired.stderr < 0.25 * math.hypot(estimate_mean(one).stderr, estimate_mean(other).stderr)


@pytest.mark.parametrize(
    ("gained", "lost", "exact", "mid_p"),
    [
        (1, 7, 0.0703125, 0.0390625),  # the example of Fagerland et al. (2013)
        (7, 1, 0.0703125, 0.0390625),
        (0, 5, 0.0625, 0.03125),
        (0, 0, 1.0, 1.0),
        (4, 4, 1.0, 1.0),
    ],
)
def test_mcnemar(gained: int, lost: int, exact: float, mid_p: float) -> None:
    assert mcnemar(gained, lost) == pytest.approx(exact)
    assert mcnemar(gained, lost, mid_p=True) == pytest.approx(mid_p)


@pytest.mark.parametrize(("gained", "lost"), [(3, 9), (12, 20), (700, 800), (3000, 2800)])
def test_mcnemar_is_twice_the_binomial_tail(gained: int, lost: int) -> None:
    n = gained + lost
    tail = sum(math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2))
               for k in range(min(gained, lost) + 1))  # fmt: skip
    assert mcnemar(gained, lost) == pytest.approx(2 * tail)


def test_what_cannot_be_estimated_is_refused() -> None:
    with pytest.raises(ValueError, match="no scores"):
        estimate_mean([])
    with pytest.raises(ValueError, match="from 0 to 1"):
        estimate_mean([0.5, 1.2])
    with pytest.raises(ValueError, match="from 0 to 1"):
        estimate_mean([float("nan")])
    with pytest.raises(ValueError, match="2 scores have 1 clusters"):
        estimate_mean([0.5, 1.0], ["v"])
    with pytest.raises(ValueError, match="cannot be paired"):
        estimate_difference([1.0], [1.0, 0.0])
