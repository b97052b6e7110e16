import inspect

import pytest

from elva.datasets.benchmarks import MSVDQA, Benchmark, PerceptionTest
from elva.registry import DATASETS


@pytest.mark.parametrize(("wrong", "right"), [("layuot", "layout"), ("circlar", "circular")])
def test_a_misspelt_argument_is_named_whether_it_is_the_childs_or_the_parents(wrong: str, right: str) -> None:
    with pytest.raises(ValueError, match=rf"MSVDQA has no argument '{wrong}'. Did you mean '{right}'\?"):
        DATASETS.build({"type": "MSVDQA", "data_root": "x", wrong: "original"})


@pytest.mark.parametrize("kind", [MSVDQA, PerceptionTest])
def test_signatures_have_the_parents_arguments(kind: type) -> None:
    taken = inspect.signature(kind).parameters
    assert set(inspect.signature(Benchmark).parameters) < set(taken) and "benchmark" not in taken
    assert taken["circular"].default is False and "split" in taken
