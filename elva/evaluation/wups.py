"""WUPS: how alike two open answers are, word by word, in WordNet's hierarchy. Values from 0 to 1.

Wu and Palmer's similarity of two words is ``2 d(c) / (d(a) + d(b))``, ``d`` being depths and ``c`` their lowest common
ancestor. Below the threshold it counts a tenth. Two forms are published; they differ in more than the threshold, so
scores of one say nothing about the other.
"""

import math
from collections.abc import Callable, Sequence

Similarity = Callable[[str, str], float]

_STOP_WORDS = """
    i me my myself we our ours ourselves you you're you've you'll you'd your yours yourself yourselves he him his
himself she she's her hers herself it it's its itself they them their theirs themselves what which who whom this
that that'll these those am is are was were be been being have has had having do does did doing a an the and but if
or because as until while to from of at for with about into through during again further then here there when where
why how all any each most other some such only own so than too very s t can will just don don't should should've
now d ll m o re ve y ain aren aren't couldn couldn't didn didn't doesn doesn't hadn hadn't hasn hasn't haven
haven't isn isn't ma mightn mightn't mustn mustn't needn needn't shan shan't shouldn shouldn't wasn wasn't weren
weren't won won't wouldn wouldn't
"""

STOP_WORDS = frozenset(_STOP_WORDS.split())
"""What NExT-QA's evaluation leaves out: the usual English list without negations, places (in, on, up) and few/more."""


def damped(similarity: Similarity, threshold: float) -> Similarity:
    """``similarity`` where it reaches ``threshold``, a tenth of it below; 1 for equal words."""

    def of(one: str, other: str) -> float:
        if one == other:
            return 1.0
        value = similarity(one, other)
        return value if value >= threshold else 0.1 * value

    return of


def wups(answer: Sequence[str], reference: Sequence[str], similarity: Similarity, passing: bool = False) -> float:
    """WUPS of two sets of items: ``min(prod_a max_t m(a, t), prod_t max_a m(a, t))``.

    (Malinowski and Fritz, arXiv:1410.0210.)

    Args:
        answer: Its items: ``['chair', 'table']``.
        reference: As ``answer``.
        similarity: ``m``, of two items; see :func:`damped`.
        passing: As NExT-QA's open-ended evaluation (arXiv:2105.08276) does it: an item that is like none on the other
            side is passed over instead of making everything 0; only where no item is like any is it 0. Default: False.
    """
    return min(_product(answer, reference, similarity, passing), _product(reference, answer, similarity, passing))


def _product(items: Sequence[str], others: Sequence[str], similarity: Similarity, passing: bool) -> float:
    best = [max((similarity(item, other) for other in others), default=0.0) for item in items]
    counted = [value for value in best if value > 0] if passing else best
    return math.prod(counted) if counted else 0.0
