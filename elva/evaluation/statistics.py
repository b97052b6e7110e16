"""How sure a score is: clustered standard errors, intervals, and the comparison of two models on the same questions.

Questions about one video are not independent, so the video is the unit that was sampled (Miller, "Adding Error Bars to
Evals", arXiv:2411.00640). Formulas: docs/evaluation_scores.md.

Legend: N scores, G clusters.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

Z95 = NormalDist().inv_cdf(0.975)
"""Half the width of a 95 % interval, in standard errors."""


@dataclass(frozen=True)
class Estimate:
    """A mean, and how sure it is.

    Attributes:
        mean: Of the scores.
        stderr: Its standard error, clustered; None where there is one cluster only, which tells nothing of the others.
        low: Lower end of the 95 % interval.
        high: Its upper end.
        n: Scores.
        clusters: Of the scores.
    """

    mean: float
    stderr: float | None
    low: float
    high: float
    n: int
    clusters: int


def estimate_mean(scores: Sequence[float], clusters: Sequence[Hashable] | None = None) -> Estimate:
    """The mean of scores from 0 to 1, its clustered standard error, and an interval that lies in [0, 1].

    The interval is Wilson's for as many independent 0/1 scores as would have this standard error. With one score a
    cluster and scores of 0 and 1 it is the plain Wilson interval.

    Args:
        scores: N values from 0 to 1, at least one.
        clusters: What each belongs to (its video). Default: each is a cluster of its own.

    Raises:
        ValueError: If there is no score, one is not from 0 to 1, or there are not as many clusters as scores.
    """
    scores_N = _checked(scores, 0.0)
    mean, stderr, count = _clustered(scores_N, clusters)
    effective = float(count)
    if stderr and stderr > 1e-9:  # scores that do not vary cannot tell how much others would: the clusters are counted
        effective = mean * (1 - mean) / stderr**2 + 1
    low, high = wilson_interval(mean, effective) if count > 1 else (0.0, 1.0)
    return Estimate(mean, stderr, low, high, len(scores_N), count)


def estimate_difference(
    one: Sequence[float], other: Sequence[float], clusters: Sequence[Hashable] | None = None
) -> Estimate:
    """The mean of ``one`` minus ``other``, scores of the same questions in the same order.

    What both find easy or hard cancels out, so the error is that of the differences. The interval is the normal one,
    cut to [-1, 1].

    Args:
        one: N values from 0 to 1.
        other: N values from 0 to 1.
        clusters: What each question belongs to (its video). Default: each is a cluster of its own.

    Raises:
        ValueError: As :func:`estimate_mean`, or if the two have different lengths.
    """
    if len(one) != len(other):
        raise ValueError(f"{len(one)} scores cannot be paired with {len(other)}")
    differences_N = _checked(one, 0.0) - _checked(other, 0.0)
    mean, stderr, count = _clustered(differences_N, clusters)
    reach = math.inf if stderr is None else Z95 * stderr
    return Estimate(mean, stderr, max(-1.0, mean - reach), min(1.0, mean + reach), len(differences_N), count)


def wilson_interval(mean: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share among ``n`` independent draws; ``n`` need not be whole.

    (Wilson, "Probable inference, the law of succession, and statistical inference", 1927.)
    """
    shrink = 1 + Z95**2 / n
    centre = (mean + Z95**2 / (2 * n)) / shrink
    reach = Z95 / shrink * math.sqrt(mean * (1 - mean) / n + Z95**2 / (4 * n**2))
    return min(mean, max(0.0, centre - reach)), max(mean, min(1.0, centre + reach))


def mcnemar(gained: int, lost: int, mid_p: bool = False) -> float:
    """Two-sided p of McNemar's test that two models are right equally often, by the exact binomial distribution.

    It knows nothing of clusters; where questions share videos, the interval of the difference says more.

    Args:
        gained: Questions that only the first model got right.
        lost: Questions that only the second got right.
        mid_p: Count the observed split half. The exact test is right less than 5 % of the time where it says 5 %; this
            one comes closer to it (Fagerland, Lydersen and Laake, 2013). Default: false.
    """
    n, fewer = gained + lost, min(gained, lost)
    ways, at_most = 1, 0  # whole numbers: no rounding before the end, whatever n is
    for k in range(fewer + 1):
        at_most += ways
        last, ways = ways, ways * (n - k) // (k + 1)
    return min(1.0, (2 * at_most - (last if mid_p else 0)) / 2**n)


def _checked(scores: Sequence[float], low: float) -> np.ndarray:
    values_N = np.asarray(scores, dtype=np.float64)
    if not len(values_N):
        raise ValueError("There are no scores: nothing can be said of their mean")
    if not bool(((values_N >= low) & (values_N <= 1)).all()):
        raise ValueError("Scores are from 0 to 1")
    return values_N


def _clustered(values_N: np.ndarray, clusters: Sequence[Hashable] | None) -> tuple[float, float | None, int]:
    """Mean, clustered standard error (None for a single cluster), number of clusters.

    The sandwich estimator of a mean with the factor G / (G - 1): without clusters it is the usual ``s / sqrt(N)``, and
    copies of every score within its cluster change nothing.
    """
    n, mean = len(values_N), float(values_N.mean())
    clusters = range(n) if clusters is None else clusters
    if len(clusters) != n:
        raise ValueError(f"{n} scores have {len(clusters)} clusters; give the cluster of each score")
    index: dict[Hashable, int] = {}
    at_N = [index.setdefault(cluster, len(index)) for cluster in clusters]
    sums_G = np.bincount(at_N, weights=values_N - mean)
    count = len(sums_G)
    if count == 1:
        return mean, None, 1
    return mean, float(np.sqrt(np.square(sums_G).sum() * count / (count - 1)) / n), count
