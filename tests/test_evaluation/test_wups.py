import pytest

from elva.evaluation.wups import STOP_WORDS, damped, wups

ALIKE = {("dog", "puppy"): 0.95, ("dog", "cat"): 0.8, ("chair", "table"): 0.6}


def _similarity(one: str, other: str) -> float:
    return ALIKE.get((one, other), ALIKE.get((other, one), 0.0))


def test_below_the_threshold_a_similarity_counts_a_tenth() -> None:
    at_09 = damped(_similarity, 0.9)
    assert at_09("dog", "puppy") == 0.95
    assert at_09("dog", "cat") == pytest.approx(0.08)
    assert damped(_similarity, 0.0)("dog", "cat") == 0.8
    assert at_09("xyz", "xyz") == 1.0


def test_the_worse_of_both_directions_counts() -> None:
    similar = damped(_similarity, 0.0)
    assert wups(["dog"], ["cat"], similar) == 0.8
    assert wups(["dog", "chair"], ["chair", "dog"], similar) == 1.0
    # dog and chair are both in the reference, but table is only like chair
    assert wups(["dog", "chair"], ["dog", "chair", "table"], similar) == pytest.approx(0.6)
    assert wups(["cat", "table"], ["dog", "chair"], similar) == pytest.approx(0.8 * 0.6)


def test_an_item_that_is_like_none_makes_it_zero_or_is_passed_over() -> None:
    similar = damped(_similarity, 0.0)
    assert wups(["dog", "sky"], ["dog"], similar) == 0
    assert wups(["dog", "sky"], ["dog"], similar, passing=True) == 1
    assert wups(["sky"], ["dog"], similar, passing=True) == 0


@pytest.mark.parametrize("passing", [True, False])
def test_nothing_is_like_nothing(passing: bool) -> None:
    assert wups([], ["dog"], damped(_similarity, 0.0), passing) == 0
    assert wups(["dog"], [], damped(_similarity, 0.0), passing) == 0


def test_words_that_decide_an_answer_are_no_stop_words() -> None:
    assert not STOP_WORDS & {"no", "not", "yes", "up", "down", "on", "in", "under", "before", "after", "more", "few"}
    assert {"the", "is", "don't"} <= STOP_WORDS
