import pytest

from elva.apis.budget import Budget


@pytest.mark.parametrize(
    ("text", "budget", "words"),
    [
        ("6TFLOPs", Budget("FLOPs", 6e12), "6.00 TFLOPs"),
        ("6 tflops", Budget("FLOPs", 6e12), "6.00 TFLOPs"),
        ("1.5e3GFLOP", Budget("FLOPs", 1.5e12), "1.50 TFLOPs"),
        ("500ms", Budget("ms", 500), "500 ms"),
        ("0.5s", Budget("ms", 500), "500 ms"),
        ("2048tokens", Budget("tokens", 2048), "2,048 tokens"),
    ],
)
def test_an_amount_and_its_kind_are_read(text: str, budget: Budget, words: str):
    assert Budget.parse(text) == budget
    assert budget.words() == words


@pytest.mark.parametrize("text", ["6", "TFLOPs", "6 parsecs", "-1ms", "0tokens", "6TFLOPs 3ms", ""])
def test_anything_else_is_refused_with_examples(text: str):
    with pytest.raises(ValueError, match="as 6TFLOPs, 500ms or 2048tokens"):
        Budget.parse(text)
